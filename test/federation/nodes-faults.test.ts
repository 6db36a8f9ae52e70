/**
 * Nodes that die or leave while their people talk to those of another server: what was acknowledged arrives, once, and
 * is in both archives.
 */
import { rmSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { expect, inject, onTestFinished, test } from 'vitest'
import { freePort } from '../../conformance/peers/free-port.ts'
import { NOTHING_WRONG, print, underLoad } from '../faults/load.ts'
import { Nodes } from '../faults/nodes.ts'
import { hasRedis } from '../support/redis/redis.ts'
import { Islands } from './islands.ts'
import { makePlace } from './server.ts'
import { OURS } from './sides.ts'

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 1)
const THERE = 'there.example'
const PAUSE_MS = 2000
const PACE = { pauseMs: 100, settleMs: 120_000 }

const timeout = 300_000 + ROUNDS * 120_000

test.skipIf(!hasRedis()).each(['killed', 'drained'] as const)(
  'messages between three nodes and another server survive that each node is %s', { timeout }, async how => {
    await using islands = await Islands.start(THERE)
    await using cluster = await nodesBeside(islands)
    const [here, there] = [cluster.balancer.port, islands.servers[0]?.place.ports.client ?? 0]
    const isHarmed = Promise.withResolvers<void>()
    const talk = [
      { port: here, receiverPort: there, domain: OURS, receiverDomain: THERE },
      { port: there, receiverPort: here, domain: THERE, receiverDomain: OURS, from: 10 },
    ].map(load => underLoad({ ...PACE, ...load }, () => isHarmed.promise))

    for (const node of Array.from({ length: ROUNDS }).flatMap(() => cluster.nodes)) {
      await setTimeout(PAUSE_MS)
      await (how === 'killed' ? node.kill() : node.drain('signal'))
      await setTimeout(PAUSE_MS)
      await node.start()
    }
    isHarmed.resolve()

    for (const figures of await Promise.all(talk)) {
      print(`nodes ${how}`, { [how]: ROUNDS * cluster.nodes.length }, figures)
      expect(figures).toMatchObject(NOTHING_WRONG)
      expect(figures.acknowledged).toBeGreaterThan(0)
      expect(figures.acknowledged).toBe(figures.sent)
    }
  },
)

/** Three nodes, at any of which others find the domain. */
async function nodesBeside ({ neighbourhood, neighbourhood: { dns } }: Islands): Promise<Nodes> {
  const { files, folder } = await makePlace(neighbourhood, OURS, undefined)
  onTestFinished(() => { rmSync(folder, { recursive: true }) })
  const ports: Record<string, number> = { a: await freePort(), b: await freePort(), c: await freePort() }
  const srv = Object.values(ports).map(port => ({ port, target: 'localhost' }))
  dns.names.set(`_xmpp-server._tcp.${OURS}`, { srv })
  return Nodes.start(inject('postgresUrl'), node => ({
    hosts: [OURS], tls: { certificate: files.certificate, key: files.key },
    listen: { server: `127.0.0.1:${ports[node]}` },
    federation: { authorities: files.authority, resolver: `${dns.host}:${dns.port}` },
  }))
}
