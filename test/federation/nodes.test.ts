/** Several nodes that are one server, and another server: which node has what is nobody else's business. */
import { rmSync } from 'node:fs'
import { expect, inject, onTestFinished, test } from 'vitest'
import { freePort } from '../../conformance/peers/server.ts'
import { placeOf } from '../../src/cluster/membership/rendezvous.ts'
import { Nodes } from '../faults/nodes.ts'
import { hasRedis } from '../support/redis/redis.ts'
import { Federation, START_MS, whyNoPeers } from './federation.ts'
import { Person } from './person.ts'
import { makePlace } from './server.ts'
import { OURS } from './sides.ts'

const EJABBERD = 'ejabberd.example'

test.skipIf(!hasRedis() || whyNoPeers() !== undefined)(
  'a node hears what was taken of what it sent, also where the other server tells another node',
  { timeout: START_MS }, async () => {
    await using federation = await Federation.start('certificate', 'ejabberd')
    const { neighbourhood, neighbourhood: { dns } } = federation
    const { files, folder } = await makePlace(neighbourhood, OURS, undefined)
    onTestFinished(() => { rmSync(folder, { recursive: true }) })
    const ports: Record<string, number> = { a: await freePort(), b: await freePort(), c: await freePort() }
    await using cluster = await Nodes.start(inject('postgresUrl'), node => ({
      hosts: [OURS], tls: { certificate: files.certificate, key: files.key },
      listen: { server: `127.0.0.1:${ports[node]}` },
      federation: { authorities: files.authority, resolver: `${dns.host}:${dns.port}` },
    }))
    const [a, b, c] = cluster.nodes
    const owner = placeOf(`s2s:${EJABBERD}`, await a.status()) ?? ''
    const [sender, listener] = [a, b, c].toSorted((one, other) =>
      Number(owner.startsWith(other.name)) - Number(owner.startsWith(one.name)))
    dns.names.set(`_xmpp-server._tcp.${OURS}`, { srv: [{ port: ports[listener?.name ?? ''] ?? 0, target: 'localhost' }] })
    const romeo = await Person.arrive(a.port, `romeo@${OURS}`)
    const juliet = await federation.arrive('juliet', EJABBERD)

    for (const body of ['one', 'two', 'three']) romeo.say(juliet.fullJid, body)
    for (const body of ['one', 'two', 'three']) await juliet.expectSeen('message', { id: body })

    const row = new RegExp(`^${EJABBERD} +${OURS} +out +certificate +TLSv1.3 +0 `, 'm')
    await expect.poll(() => sender?.report()).toMatch(row)
    expect(await listener?.report()).toMatch(new RegExp(`^${EJABBERD} +${OURS} +in `, 'm'))
    romeo.leave()
  },
)
