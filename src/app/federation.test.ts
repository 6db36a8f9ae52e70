/** What connections of other servers cause at the queues for them. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Authority } from '../../test/support/authority.ts'
import { ServerWire } from '../../test/support/wire/server-wire.ts'
import { certificatesOf } from '../../test/support/world/federated.ts'
import { database, world } from '../../test/support/world/world.ts'
import type { World } from '../../test/support/world/world.ts'
import { openLog } from '../log.ts'
import { Streams } from '../s2s/streams.ts'
import { Federation } from './federation.ts'

const AWAY = 'away.example'
/** More than a server is tried for in the time that they take, its own pauses between attempts included. */
const CONNECTIONS = 40
const MOST_ATTEMPTS = 20

test('a server that connects is tried at once, and not again and again when it does so again and again', async () => {
  const here = await world()
  const target = await closingPort()
  const { port, authority } = await federates(here, AWAY, target.port)
  const romeo = await here.client('romeo@localhost/orchard')
  await romeo.says(`juliet@${AWAY}`, 'art thou?')
  await expect.poll(() => target.attempts()).toBe(1)
  const pair = authority.issue({ hosts: [AWAY] })

  for (let n = 0; n < CONNECTIONS; n++) {
    const wire = await ServerWire.connect(port, AWAY, 'localhost')
    await wire.proves(pair)
    wire.destroy()
    if (n === 0) await expect.poll(() => target.attempts()).toBeGreaterThan(1)
  }

  expect(target.attempts()).toBeLessThan(MOST_ATTEMPTS)
})

/** Federates with that domain at that address, until the test is finished. */
async function federates (
  { core }: World, domain: string, port: number,
): Promise<{ readonly port: number, readonly authority: Authority }> {
  const authority = new Authority()
  const { certificates, trusted } = await certificatesOf(authority)
  const db = database()
  const federation = new Federation({
    core, streams: new Streams(), db, messageDb: db, log: await openLog({ level: 'silent' }), cluster: undefined, components: {},
    settings: {
      trust: 'certificate', allow: [], block: [], giveUpHours: 1, queue: 100, bytesPerSecond: 0, stanzaBytes: 100_000,
      resolver: 'system', authorities: trusted, domains: { [domain]: { address: { host: '127.0.0.1', port } } },
    },
  })
  const opened = await federation.start({
    hosts: ['localhost'], certificates, server: ['127.0.0.1:0'], serverTls: [], component: [],
  })
  onTestFinished(async () => {
    await federation.stop()
    for (const [, listener] of opened) listener.close()
  })
  return { port: opened.flatMap(([, { addresses }]) => addresses)[0]?.port ?? 0, authority }
}

/** A port that closes each connection, and counts them. */
async function closingPort (): Promise<{ readonly port: number, readonly attempts: () => number }> {
  let attempts = 0
  const server = createServer(socket => {
    attempts++
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => { server.close() })
  return { port: (server.address() as AddressInfo).port, attempts: () => attempts }
}
