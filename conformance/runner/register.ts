/** Makes an account over a stream that has not logged in (XEP-0077), on servers where anybody may. */
import { Client, type Endpoint } from './client.ts'
import { formatXml } from './xml.ts'

export interface Account {
  readonly jid: string
  readonly password: string
}

export async function register (endpoint: Endpoint, { jid, password }: Account): Promise<void> {
  const [username] = jid.split('@')
  const client = await Client.open(endpoint, { jid, password, resource: undefined })
  try {
    client.send("<iq type='set' id='register'><query xmlns='jabber:iq:register'>" +
      `<username>${username}</username><password>${password}</password></query></iq>`)
    const answer = await client.receive()
    if (answer.attributes.get('type') !== 'result') throw new Error(`${jid} was not registered: ${formatXml(answer)}`)
    await client.disconnect()
  } finally {
    client.destroy()
  }
}
