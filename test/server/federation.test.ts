/** What an administrator sees of other servers, and does about what waits for them. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../../conformance/peers/free-port.ts'
import { Client } from '../../conformance/runner/client.ts'
import { formatXml } from '../../conformance/runner/xml.ts'
import { Installation } from './installation.ts'

const AWAY = 'away.example'

let home: Installation
let romeo: Client | undefined

/** Where nobody listens at `away.example`. */
async function federated (): Promise<Installation> {
  const address = `127.0.0.1:${await freePort()}`
  return Installation.make({ federation: { domains: { [AWAY]: { address } } } })
}

async function arrives (): Promise<Client> {
  await home.run('user add romeo@localhost --password wherefore')
  return romeo = await Client.connect({ port: home.port, tls: true },
    { jid: 'romeo@localhost', password: 'wherefore', resource: 'orchard' })
}

afterEach(async () => {
  romeo?.destroy()
  await home.remove()
})

describe('a message for a server that is away', () => {
  beforeEach(async () => {
    home = await federated()
    await home.start()
  })

  test('is shown as waiting, also after a restart, and can be tried again or given back', async () => {
    const sender = await arrives()
    sender.send(`<message to='juliet@${AWAY}' type='chat' id='m1'><body>art thou?</body></message>`)
    const row = new RegExp(`^${AWAY} +localhost +- +- +- +1 +[0-9].* s +.*ECONNREFUSED`, 'm')
    await expect.poll(async () => (await home.run('status')).out).toMatch(row)
    sender.destroy()
    await home.end()
    await home.start()

    await expect.poll(async () => (await home.run('status')).out).toMatch(row)
    expect(await home.run(`federation retry ${AWAY}`)).toEqual(said(`${AWAY} is being connected to`))
    const again = await arrives()
    expect(await home.run(`federation drop ${AWAY}`)).toEqual(said(`1 message for ${AWAY} went back to the senders`))
    again.send('<presence/>')

    const heard = [formatXml(await again.receive()), formatXml(await again.receive())].join()
    expect(heard).toMatch(/<message [^>]*id='m1'/)
    expect(heard).toContain('remote-server-timeout')
    const { out } = await home.run('status')
    expect(out).not.toMatch(row)
    expect(out).toMatch(/^federation 0 stanzas received, 0 sent; 0 messages confirmed, 1 given back$/m)
  })

  test('is one that is there: for other domains there is an error', async () => {
    expect(await home.run('federation drop other.example')).toEqual({
      code: 1, out: '', err: 'heliograph: nothing waits for other.example, and there is no stream to it\n',
    })
  })
})

test('an account that is removed while no server runs ends its subscriptions elsewhere when one does', { timeout: 180_000 }, async () => {
  home = await federated()
  await home.start()
  const sender = await arrives()
  sender.send(`<presence to='juliet@${AWAY}' type='subscribe'/>`)
  await expect.poll(async () => (await home.run('status')).out).toMatch(new RegExp(`^${AWAY} .* 1 `, 'm'))
  await home.end()

  await home.run('user remove romeo@localhost')

  await home.start()
  await expect.poll(async () => (await home.run('status')).out).toMatch(new RegExp(`^${AWAY} .* 2 `, 'm'))
})

test('where there is no federation, its commands say so', async () => {
  home = await Installation.make()
  await home.start()

  const { code, err } = await home.run(`federation retry ${AWAY}`)

  expect([code, err]).toEqual([1, 'heliograph: this server talks to no others: see `federation` in the configuration\n'])
})

function said (line: string) {
  return { code: 0, out: `${line}\n`, err: '' }
}
