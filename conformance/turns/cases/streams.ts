/** Streams and their acknowledgements: full queues, resumption, and what costs a client next to nothing to send. */
import type { Client } from '../client.ts'
import { many, text } from '../setting.ts'
import type { Case, Setting } from '../setting.ts'

const SM = 'urn:xmpp:sm:3'

async function enable (client: Client): Promise<string> {
  const enabled = client.until(/<enabled[^>]* id=['"]([^'"]*)['"]/)
  client.send(`<enable xmlns='${SM}' resume='true'/>`)
  return (await enabled)[1] ?? ''
}

/** Fills the queue of a session that acknowledges nothing, with so many messages of that size. */
async function fillQueue (
  setting: Setting,
  resource: string,
  count: number,
  bytes: number,
): Promise<{ readonly client: Client, readonly id: string }> {
  const client = await setting.client('a', resource)
  const id = await enable(client)
  client.send('<presence/>')
  await client.ping()
  const sender = await setting.client('b', resource)
  for (let sent = 0; sent < count; sent += 50) {
    sender.send(
      `<message type='headline' to='${setting.jid('a')}/${resource}'><body>${text(bytes)}</body></message>`.repeat(
        Math.min(50, count - sent),
      ),
    )
    await sender.ping()
  }
  return { client, id }
}

function resumption (name: string, count: number, bytes: number): Case {
  return {
    name,
    async prepare (setting) {
      return async round => {
        const { client, id } = await fillQueue(setting, `r${round}`, setting.count(count), bytes)
        await client.cut()
        const again = await setting.stranger()
        await again.authenticate(setting.local('a'))
        const answer = again.until(/<(resumed|failed)/)
        again.send(`<resume xmlns='${SM}' previd='${id}' h='0'/>`)
        await answer
        again.send(`<a xmlns='${SM}' h='${setting.count(count)}'/>`)
        await again.ping()
        await again.cut()
      }
    },
  }
}

/** The same little element, as many as fit into so much. */
function flood (name: string, element: string, bytes = 260_000): Case {
  return {
    name,
    async prepare (setting) {
      const client = await setting.client('a')
      if (element.includes(SM)) await enable(client)
      return async () => {
        client.send(many(() => element, bytes))
        await client.ping()
      }
    },
  }
}

export const streams: readonly Case[] = [
  resumption('a session with 4 500 stanzas is resumed', 4_500, 10),
  resumption('a session with 15 MB is resumed', 150, 100_000),
  {
    name: '60 sleeping sessions are sent 250 KB',
    async prepare (setting) {
      const devices = await setting.devices('a', 60)
      const sender = await setting.client('b')
      for (const device of devices) {
        await enable(device)
        device.send("<presence/><iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
        await device.ping()
      }
      for (const device of devices) await device.cut()
      return async () => {
        sender.send(`<message type='chat' to='${setting.jid('a')}'><body>${text()}</body></message>`)
        await sender.ping()
      }
    },
  },
  flood('10 000 requests for an acknowledgement at once', `<r xmlns='${SM}'/>`),
  flood('10 000 acknowledgements at once', `<a xmlns='${SM}' h='0'/>`),
  flood('260 000 spaces at once', ' '),
  flood('20 000 answers to no question at once', "<iq type='result' id='1'/>"),
  flood('5 000 requests of a kind that is none at once', "<iq type='none' id='1' to='localhost'/>"),
  flood('5 000 messages to an address that is none at once', "<message to='@'><body>1</body></message>"),
  flood('5 000 pings of oneself at once', "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"),
  {
    name: 'an element of 9 KB before the login, 20 times',
    async prepare (setting) {
      return async () => {
        const strangers = await Promise.all(Array.from({ length: setting.count(20) }, () => setting.stranger()))
        await Promise.all(strangers.map(async stranger => {
          const answer = stranger.until(/<stream:error|<\/stream:stream>|<failure|<iq/)
          stranger.send(
            `<a ${Array.from({ length: 60 }, (_, number) => `a${number}='${'x'.repeat(100)}'`).join(' ')}/>`,
          )
          await answer
          await stranger.cut()
        }))
      }
    },
  },
  {
    name: 'a stanza of 250 KB that is not well-formed at its end',
    async prepare (setting) {
      return async round => {
        const client = await setting.client('a', `r${round}`)
        const answer = client.until(/<stream:error/)
        client.send(`<message to='${setting.jid('a')}'><body>${many(() => '<a/>')}</message>`)
        await answer
        await client.cut()
      }
    },
  },
  {
    name: '100 sessions end at once, as their contact is online with 100',
    async prepare (setting) {
      await setting.devices('b', 100)
      return async () => {
        const devices = await setting.devices('a', 100)
        for (const device of devices) device.send('<presence/>')
        await Promise.all(devices.map(device => device.ping()))
        await Promise.all(devices.map(device => device.close()))
      }
    },
  },
]
