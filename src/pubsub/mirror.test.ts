/** Whatever is published and taken away, by whom: subscribers end with what the node has, and others with nothing. */
import { expect, test } from 'vitest'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import { RedisNodes } from '../../test/support/cluster/redis-cluster.ts'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import { PATIENCE } from '../../test/support/cluster/room-nodes.ts'
import {
  affiliates, creates, events, items, ownerRequest, publishes, request, SERVICE, subscribes,
} from '../../test/support/world/nodes.ts'
import type { Client } from '../../test/support/world/world.ts'

const IDS = ['a', 'b', 'c', 'd', 'e']
const STEPS = 120
const AT_ONCE = 4

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function numbers (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6D2B79F5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** What a client has made of the events that it heard: items in the order of publication, oldest first. */
class Mirror {
  readonly #client: Client
  readonly #items = new Map<string, string>()

  constructor (client: Client) {
    this.#client = client
  }

  async look (): Promise<readonly string[]> {
    for (const event of await events(this.#client)) {
      const [, what = ''] = /^\S+ (.*)$/.exec(event) ?? []
      const [id = '', text = ''] = what.replace(' (late)', '').split(': ')
      if (what === 'purge') this.#items.clear()
      else if (what.startsWith('-')) for (const gone of what.split(', ')) this.#items.delete(gone.slice(1))
      else {
        this.#items.delete(id)
        this.#items.set(id, text)
      }
    }
    return [...this.#items].map(([id, text]) => `${id}: ${text}`)
  }
}

async function step (
  clients: readonly Client[], nodes: readonly Node[], random: () => number, number: number,
): Promise<void> {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!
  const [owner] = clients
  const dice = random()
  if (dice < 0.7) return publishes(pick(clients), 'musings', pick(IDS), String(number), SERVICE)
  if (dice < 0.9) {
    await pick(clients).asks('set', request(`<retract node='musings'><item id='${pick(IDS)}'/></retract>`), SERVICE)
      .catch(() => {}) // there may be none
    return
  }
  if (dice < 0.94) await owner?.asks('set', ownerRequest("<purge node='musings'/>"), SERVICE)
  else pick(nodes).core.pubsub.service.giveUp(SERVICE)
}

test.each([
  ['open', 'none'], ['whitelist', 'member'], ['authorize', 'member'],
].flatMap(([model = '', affiliation = '']) => [1, 2].map(seed => [model, affiliation, seed] as const)))(
  '%s, for %s, seed %i', async (model, affiliation, seed) => {
    const cluster = await RedisNodes.begin([streamManagement])
    const nodes = [await cluster.start(), await cluster.start()]
    for (const node of nodes) await expect.poll(() => node.cluster.membership.nodes.length).toBe(2)
    const [a, b] = nodes as [Node, Node]
    for (const table of ['account', 'former_account', 'pubsub_node']) await a.db.query(`delete from ${table}`)
    const [hamlet, horatio] = [await a.client('hamlet@localhost/x'), await b.client('horatio@localhost/x')]
    const [first, second, stranger] = [
      await a.client('ophelia@localhost/x'), await b.client('laertes@localhost/x'), await b.client('osric@localhost/x'),
    ]
    for (const one of [first, second, stranger]) await one.comesOnline()
    await creates(hamlet, 'musings', { access_model: model, max_items: '4' })
    await affiliates(hamlet, 'musings', 'horatio@localhost', 'publisher')
    for (const one of [first, second]) {
      const { jid } = one.session.account
      if (affiliation !== 'none') await affiliates(hamlet, 'musings', jid.toString(), affiliation)
      await subscribes(one, 'musings')
    }
    if (model !== 'open') await subscribes(stranger, 'musings').catch(() => {}) // refused, or waits
    const mirrors = [new Mirror(first), new Mirror(second)]
    const random = numbers(seed)

    for (let number = 0; number < STEPS; number += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => step([hamlet, horatio], nodes, random, number + n)))
    }

    const left = await items(hamlet, 'musings', SERVICE)
    for (const mirror of mirrors) await expect.poll(() => mirror.look(), PATIENCE).toEqual(left)
    expect((await events(stranger)).filter(event => !event.includes('subscription'))).toEqual([])
  })
