/**
 * Whatever becomes of nodes and connections: what an archive holds is what each device of its owner gets, in its order.
 */
import fc from 'fast-check'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { archive } from '../../extensions/archive/index.ts'
import { carbons } from '../../extensions/carbons/index.ts'
import { offline } from '../../extensions/offline/index.ts'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import { deriveCredentials } from '../accounts/credentials.ts'
import { archiveIdsOf } from '../../test/support/world/archive-numbers.ts'
import { Device } from '../../test/support/wire/device.ts'
import { RedisNodes } from '../../test/support/cluster/redis-cluster.ts'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import { hasRedis } from '../../test/support/redis/redis.ts'
import { PASSWORD } from '../../test/support/wire/wire-client.ts'
import { Jid } from '../xmpp/jid.ts'

const RUNS = Number(process.env['HELIOGRAPH_HISTORIES'] ?? 10)
const EXTENSIONS = [archive, offline, carbons, streamManagement] as const
const NODES = 3
const USERS = ['romeo', 'juliet', 'nurse']
const RESOURCES = ['phone', 'laptop']
const PATIENCE_MS = 20_000

type Step =
  | { readonly what: 'says', readonly device: number, readonly to: number }
  | { readonly what: 'loses', readonly devices: readonly number[] }
  | { readonly what: 'dies', readonly node: number }
  | { readonly what: 'waits', readonly ms: number }

const device = fc.nat(USERS.length * RESOURCES.length - 1)
const steps: fc.Arbitrary<readonly Step[]> = fc.array(fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      what: fc.constant('says' as const),
      device,
      to: fc.integer({ min: 1, max: USERS.length - 1 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('loses' as const), devices: fc.tuple(device) }) },
  // An account moves with its last stream.
  {
    weight: 3,
    arbitrary: fc.nat(USERS.length - 1).map(user => ({ what: 'loses' as const, devices: [2 * user, 2 * user + 1] })),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('dies' as const), node: fc.nat(NODES - 1) }) },
  { weight: 8, arbitrary: fc.record({ what: fc.constant('waits' as const), ms: fc.nat(25) }) },
), { minLength: 30, maxLength: 120, size: 'max' })
const places = fc.infiniteStream(fc.nat(NODES - 1))

const credentials = await deriveCredentials(PASSWORD)

class Play {
  readonly #servers: RedisNodes
  readonly #nodes: Node[]
  readonly #users: readonly string[]
  readonly #devices: readonly Device[]
  #said = 0
  #deaths = 0
  #isReviving: Promise<void> | undefined

  constructor (servers: RedisNodes, nodes: Node[], run: number, places: Iterator<number>) {
    this.#servers = servers
    this.#nodes = nodes
    this.#users = USERS.map(user => `${user}.${run}`)
    this.#devices = this.#users.flatMap(user =>
      RESOURCES.map(resource =>
        new Device(`${user}@localhost/${resource}`, async () => {
          const node = this.#nodes[Number(places.next().value)]
          if (!node) throw new Error('there is one')
          return (await node.listeners()).connectTcp()
        })))
  }

  async plays (script: readonly Step[]): Promise<void> {
    for (const user of this.#users) await this.#nodes[0]?.core.store.create(Jid.parse(`${user}@localhost`), credentials)
    await Promise.all(this.#devices.map(one => one.comesOnline()))
    for (const step of script) await this.#play(step)
    await this.#isReviving
    await expect.poll(() => this.#devices.every(one => one.isSettled), { timeout: PATIENCE_MS }).toBe(true)
    await this.#check()
  }

  async #play (step: Step): Promise<void> {
    switch (step.what) {
      case 'says': {
        const from = Math.floor(step.device / RESOURCES.length)
        const to = this.#users[(from + step.to) % this.#users.length]
        this.#devices[step.device]?.says(`${to}@localhost`, `${this.#said++}`)
        break
      }
      case 'loses':
        for (const index of step.devices) this.#devices[index]?.loses()
        break
      case 'waits': return sleep(step.ms)
      case 'dies': if (this.#deaths++ === 0) this.#dies(step.node)
    }
  }

  /** It is killed, and another takes its place later. */
  #dies (index: number): void {
    this.#nodes[index]?.dies()
    this.#isReviving = this.#servers.start().then(node => { this.#nodes[index] = node })
  }

  async #check (): Promise<void> {
    const [node] = this.#nodes
    if (!node) throw new Error('there is one')
    for (const user of this.#users) {
      const owner = `${user}@localhost`
      for (const one of this.#devices) expect(one.faults).toEqual([])
      const ids = await archiveIdsOf(node.db, owner)
      const rows = await node.db.query<{ seq: number, stanza: string }>(
        'select seq, stanza from archive_message where owner = $1 order by seq', [owner])
      expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, i) => i + 1))
      const bodies = rows.map(({ stanza }) => /<body>(\d+)</.exec(stanza)?.[1])
      expect(bodies).toHaveLength(new Set(bodies).size)
      for (const one of this.#devices.filter(({ jid }) => jid.local === user)) {
        const wanted = rows.filter(({ stanza }) => !stanza.includes(`from='${one.jid}'`)).map(({ seq }) =>
          ids.encode(seq)
        )
        await expect.poll(() => one.received, { timeout: PATIENCE_MS }).toEqual(wanted)
        expect(one.faults).toEqual([])
      }
    }
    const copies = await node.db.query(
      'select owner, seq from archive_message where owner = any($1)', [this.#users.map(user => `${user}@localhost`)])
    expect(copies).toHaveLength(2 * this.#said)
  }

  end (): void {
    for (const one of this.#devices) one.ends()
  }
}

describe.skipIf(!hasRedis())('histories', () => {
  test(
    'every device gets what the archive holds, in its order and once',
    { timeout: 60_000 + RUNS * 10_000 },
    async () => {
      const servers = await RedisNodes.begin(EXTENSIONS)
      const nodes: Node[] = []
      for (let i = 0; i < NODES; i++) nodes.push(await servers.start())
      let run = 0

      await fc.assert(fc.asyncProperty(steps, places, async (script, at) => {
        const play = new Play(servers, nodes, run++, at)
        try {
          await play.plays(script)
        } finally {
          play.end()
        }
      }), { numRuns: RUNS, endOnFailure: true })
    })
})
