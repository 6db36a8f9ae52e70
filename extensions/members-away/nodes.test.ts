/** Members of a group who are not in it, on several nodes: they are told wherever they are at home. */
import { describe, expect, test, vi } from 'vitest'
import { RedisNodes } from '../../test/support/cluster/redis-cluster.ts'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import { hasRedis } from '../../test/support/redis/redis.ts'
import { changes, comesOnce, configures, enters, hears, says } from '../../test/support/world/rooms.ts'
import type { Client } from '../../test/support/world/world.ts'
import { archive } from '../archive/index.ts'
import { blocking } from '../blocking/index.ts'
import { membersAway } from './index.ts'

const GROUP = { persistentroom: '1', membersonly: '1' }
const ROOM = 'coven@conference.localhost'
const PATIENCE = { timeout: 10_000, interval: 20 }

/** Three nodes; the group is at home at one of them, and its owner at the first. */
async function group (): Promise<{ readonly nodes: readonly [Node, Node, Node], readonly crone: Client }> {
  const servers = await RedisNodes.begin([blocking, archive, membersAway])
  const nodes = [await servers.start(), await servers.start(), await servers.start()] as const
  for (const { cluster } of nodes) await expect.poll(() => cluster.membership.nodes.length).toBe(3)
  await nodes[0].db.query('delete from room')
  const crone = await nodes[0].client('crone1@localhost/desktop')
  await enters(crone, 'firstwitch', '', ROOM)
  await configures(crone, GROUP, ROOM)
  return { nodes, crone }
}

/** What is said in the room and comes until that does. */
async function expectHeard (client: Client, last: string): Promise<readonly string[]> {
  const all: string[] = []
  await expect.poll(async () => {
    all.push(...(await hears(client)).filter(line => line.includes('witch: ')))
    return all
  }, PATIENCE).toContain(`firstwitch: ${last}`)
  return all
}

/** Nobody is told, and so no account is needed. */
async function addMembers ({ db }: Node, ...accounts: readonly string[]): Promise<void> {
  await db.query(
    "insert into room_affiliation (room, jid, affiliation) select $1, account, 'member' from unnest($2::text[]) as account",
    [ROOM, accounts],
  )
}

/** Resolves when the room's home has heard that a member is online: he hears what is said. */
async function expectKnown (client: Client, speaker: Client): Promise<void> {
  await expect.poll(async () => {
    await says(speaker, 'anybody there?', ROOM)
    return hears(client)
  }, PATIENCE).toContain('firstwitch: anybody there?')
}

async function online (node: Node, jid: string): Promise<Client> {
  const client = await node.client(jid)
  await client.comesOnline()
  return client
}

describe.skipIf(!hasRedis())('members on several nodes', () => {
  test('get what is said on each device that is not in, whichever node is the group\'s home', async () => {
    const { nodes: [a, b, c], crone } = await group()
    const [hag, wiccan] = [await online(b, 'hag66@localhost/pda'), await online(c, 'wiccarocks@localhost/laptop')]
    const [pad, early] = [await online(b, 'hag66@localhost/pad'), await online(a, 'hecate@localhost/broom')]
    await changes(
      crone,
      ['hag66', 'wiccarocks', 'hecate'].map(name => ({ jid: `${name}@localhost`, affiliation: 'member' })),
      ROOM,
    )
    for (const [client, nick] of [[hag, 'hag'], [wiccan, 'wiccan'], [early, 'hecate']] as const)
      await comesOnce(client, nick, ROOM)
    await enters(pad, 'thirdwitch', '', ROOM)
    await expect.poll(() => hears(pad), PATIENCE).toContainEqual(expect.stringMatching(/^subject/))

    await says(crone, 'one', ROOM)
    await says(crone, 'two', ROOM)

    for (const client of [hag, wiccan, early, pad]) {
      expect(await expectHeard(client, 'two')).toEqual(['firstwitch: one', 'firstwitch: two'])
    }
  })

  test('do not get what comes from whom they have blocked, at another node than the group\'s home', async () => {
    const { nodes: [a, b, c], crone } = await group()
    await addMembers(a, 'blocker1@localhost', 'blocker2@localhost')
    const [hag, wiccan] = [await online(b, 'blocker1@localhost/pda'), await online(c, 'blocker2@localhost/laptop')]
    for (const client of [hag, wiccan]) await expectKnown(client, crone)
    for (const client of [hag, wiccan])
      await client.asks('set', "<block xmlns='urn:xmpp:blocking'><item jid='crone1@localhost'/></block>")
    await addMembers(a, 'hecate2@localhost')
    const hecate = await online(a, 'hecate2@localhost/broom')
    await changes(crone, [{ jid: 'hecate2@localhost', affiliation: 'admin' }], ROOM)
    await enters(hecate, 'firstwitch2', '', ROOM)
    await expect.poll(() => hears(hecate), PATIENCE).toContainEqual(expect.stringMatching(/^subject/))
    for (const client of [hag, wiccan]) await hears(client)

    await says(crone, 'one', ROOM)
    await says(hecate, 'two', ROOM)

    for (const client of [hag, wiccan]) {
      const heard: string[] = []
      await expect.poll(async () => heard.push(...await hears(client)) && heard, PATIENCE).toContain('firstwitch2: two')
      expect(heard).not.toContain('firstwitch: one')
    }
  })

  test('get it when they come online later, and not when they are none any more', async () => {
    const { nodes: [a, b, c], crone } = await group()
    await addMembers(a, 'hag66@localhost', 'wiccarocks@localhost')
    await says(crone, 'before', ROOM)
    const [hag, wiccan] = [await online(b, 'hag66@localhost/pda'), await online(c, 'wiccarocks@localhost/laptop')]
    for (const client of [hag, wiccan]) await expectKnown(client, crone)
    await says(crone, 'one', ROOM)
    expect((await expectHeard(hag, 'one')).at(-1)).toBe('firstwitch: one')

    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'none' }], ROOM)
    await says(crone, 'two', ROOM)

    expect((await expectHeard(wiccan, 'two')).slice(-2)).toEqual(['firstwitch: one', 'firstwitch: two'])
    await says(crone, 'three', ROOM)
    await expectHeard(wiccan, 'three')
    expect((await hears(hag)).filter(line => line.includes('two'))).toEqual([])
  })

  test('of 10 000 cost a message one word to each node where some are online', async () => {
    const { nodes, crone } = await group()
    await addMembers(nodes[0], ...Array.from({ length: 10_000 }, (_, n) => `member${n}@localhost`))
    const at = nodes.find(({ core }) => core.rooms.atHome().includes(ROOM)) ?? expect.fail('no home')
    const there = nodes.find(node => node !== at) ?? expect.fail('no other')
    const few = [
      await online(there, 'member1@localhost/a'),
      await online(there, 'member2@localhost/b'),
      await online(there, 'member3@localhost/c'),
    ]
    for (const client of few) await expectKnown(client, crone)
    await says(crone, 'first', ROOM)
    for (const client of few) await expectHeard(client, 'first')
    const told = vi.spyOn(at.cluster.others, 'ask')

    for (let number = 1; number <= 10; number++) await says(crone, `${number}`, ROOM)
    for (const client of few) expect(await expectHeard(client, '10')).toHaveLength(10)

    expect(told.mock.calls.map(([node]) => node)).toEqual(Array.from({ length: 10 }, () => there.cluster.membership.id))
  })
})
