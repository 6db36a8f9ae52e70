/** What tests of rooms on several nodes begin with. */
import { expect } from 'vitest'
import { archive } from '../../../extensions/archive/index.ts'
import { blocking } from '../../../extensions/blocking/index.ts'
import { slowMode } from '../../../extensions/slow-mode/index.ts'
import { streamManagement } from '../../../extensions/stream-management/index.ts'
import { placeOf } from '../../../src/cluster/membership/rendezvous.ts'
import { RedisNodes } from './redis-cluster.ts'
import type { Node } from './redis-cluster.ts'
import { Jid } from '../../../src/xmpp/jid.ts'
import { configures, enters, hears } from '../world/rooms.ts'
import type { Client } from '../world/world.ts'

export const PATIENCE = { timeout: 10_000, interval: 100 }

export interface Cluster { readonly nodes: RedisNodes, readonly a: Node, readonly b: Node, readonly c: Node }

/** Three nodes, and a room whose place is the last: clients are at the others. */
export async function threeNodes (): Promise<Cluster & { readonly room: string }> {
  const nodes = await RedisNodes.begin([archive, blocking, streamManagement, slowMode])
  const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()]
  for (const { cluster } of [a, b, c]) await expect.poll(() => cluster.membership.nodes.length).toBe(3)
  await a.db.query('delete from room')
  return { nodes, a, b, c, room: roomAt(c, [a, b, c]) }
}

export function roomAt (node: Node, all: readonly Node[]): string {
  const ids = all.map(({ cluster }) => cluster.membership.id)
  for (let number = 0; ; number++) {
    const room = `coven${number}@conference.localhost`
    if (placeOf(room, ids) === node.cluster.membership.id) return room
  }
}

/** All that is said from now on until that comes. */
export async function expectHeard (client: Client, last: string): Promise<readonly string[]> {
  const all: string[] = []
  await expect.poll(async () => {
    all.push(...await hears(client))
    return all
  }, PATIENCE).toContain(last)
  return all
}

export async function witches ({ a, b, room }: Cluster & { readonly room: string }): Promise<[Client, Client]> {
  const first = await a.client('crone1@localhost/desktop')
  await enters(first, 'firstwitch', '', room)
  await configures(first, {}, room)
  const second = await b.client('wiccarocks@localhost/laptop')
  await enters(second, 'secondwitch', '', room)
  await expectHeard(second, `subject "" by ${room}`)
  await expectHeard(first, 'secondwitch none/participant wiccarocks@localhost/laptop')
  return [first, second]
}

/**
 * Becomes the room's home in place of these. Whoever needs a room that is nobody's becomes its home, be it to see
 * whether it is still there: then that one gives it up again.
 */
export async function takesOver ({ core }: Node, room: string, from: readonly Node[]): Promise<void> {
  await expect.poll(async () => {
    for (const other of from) await other.core.rooms.giveUp(room)
    await core.rooms.takeOver(Jid.parse(room))
    return core.rooms.atHome()
  }, PATIENCE).toContain(room)
}
