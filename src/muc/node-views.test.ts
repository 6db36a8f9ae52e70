/**
 * Rooms of a server that has several nodes: each occupant knows of all the others, whatever becomes of the room's home.
 */
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import { PATIENCE, takesOver, threeNodes } from '../../test/support/cluster/room-nodes.ts'
import { deed, DEVICES, perform, truthOf, View } from '../../test/support/world/room-views.ts'
import { changes, configures, COVEN, enters, leaves, parseStanza } from '../../test/support/world/rooms.ts'
import type { Client } from '../../test/support/world/world.ts'
import type { Element } from '../xml/element.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_MUC_USER } from './ns.ts'

/** The room's home is that node from now on. */
async function moves (from: readonly Node[], to: Node): Promise<void> {
  await to.core.rooms.giveUp(COVEN) // where it is there already, it is loaded anew
  await takesOver(to, COVEN, from.filter(node => node !== to))
}

/** What it is sent stays where it is. */
const STUCK = { receive: () => new Promise<void>(() => {}), receiveHere: () => new Promise<boolean>(() => {}) }

/** By their devices, with their roles, those of whom the room's home has kept that they are in. */
async function keptAt ({ cluster: { redis, membership: { id } } }: Node): Promise<readonly string[]> {
  const records = await redis.commands.hgetall(`hg:room:${id}:${COVEN}`)
  return Object.entries(records).filter(([field]) => field.includes('@')).map(([device, record]) => {
    const { nick, role } = JSON.parse(record) as { readonly nick: string, readonly role: string }
    return `${device} ${nick} ${role}`
  }).sort()
}

test('what becomes of occupants all hear, though the home dies before anybody is told', async () => {
  const { a, b, c } = await threeNodes()
  const crone = await a.client('crone1@localhost/desktop')
  await enters(crone, 'firstwitch')
  await configures(crone, {})
  const [kicked, leaving, renamed, quiet, newcomer] = [
    await a.client('hag66@localhost/pda'),
    await a.client('hag66@localhost/desk'),
    await b.client('wiccarocks@localhost/laptop'),
    await b.client('hecate@localhost/broom'), await b.client('hecate@localhost/cauldron')]
  for (const [number, client] of [kicked, leaving, renamed, quiet].entries()) await enters(client, `witch${number}`)
  const views = new Map([crone, kicked, leaving, renamed, quiet, newcomer].map(client => [client, new View()]))
  await moves([a, b], c)
  await viewsAgree(views, [c])

  c.core.router.serve('localhost', STUCK)
  void changes(crone, [{ nick: 'witch0', role: 'none' }, { nick: 'witch3', role: 'visitor' }]) // its answer is lost
  const done = Promise.all([leaves(leaving, 'witch1'), enters(renamed, 'hag'), enters(newcomer, 'new')])
  await expect.poll(() => keptAt(c), PATIENCE).toEqual([
    'crone1@localhost/desktop firstwitch moderator', 'hecate@localhost/broom witch3 visitor',
    'hecate@localhost/cauldron new participant', 'wiccarocks@localhost/laptop hag participant',
  ])
  c.dies()
  await done

  await viewsAgree(views, [a, b])
})

test('who has become something else, or may not be in any more, hears of it from the next home', async () => {
  const { a, b, c } = await threeNodes()
  const crone = await a.client('crone1@localhost/desktop')
  await enters(crone, 'firstwitch')
  await configures(crone, {})
  const [admin, banned] = [await b.client('wiccarocks@localhost/laptop'), await b.client('hecate@localhost/broom')]
  await enters(admin, 'admin')
  await enters(banned, 'banned')
  const views = new Map([crone, admin, banned].map(client => [client, new View()]))
  await moves([a, b], c)
  await viewsAgree(views, [c])

  // What the home has kept when it dies, before it tells anybody.
  await c.db.query(`insert into room_affiliation (room, jid, affiliation) values
    ('${COVEN}', 'wiccarocks@localhost', 'admin'), ('${COVEN}', 'hecate@localhost', 'outcast')`)
  c.dies()

  await viewsAgree(views, [a, b])
  expect(views.get(crone)?.seen).toEqual(['admin admin/moderator', 'firstwitch owner/moderator'])
})

/** The statuses and the reason with which somebody heard last that he is out himself. */
async function farewellOf (client: Client): Promise<readonly [readonly string[], string | null | undefined]> {
  let last: Element | undefined
  await expect.poll(async () => {
    for (const xml of await client.received()) {
      const stanza = parseStanza(xml)
      if (stanza.name === 'presence' && stanza.attrs['type'] === 'unavailable') last = stanza.getChild('x', NS_MUC_USER)
    }
    return last
  }, PATIENCE).toBeDefined()
  return [
    last?.getChildren('status').map(({ attrs }) => attrs['code'] ?? '').sort() ?? [],
    last?.getChild('item')?.getChildText('reason'),
  ]
}

test('why somebody was removed is said by the next home as well (§8.2, §9.1, §9.4)', async () => {
  const { a, b, c } = await threeNodes()
  const crone = await a.client('crone1@localhost/desktop')
  await enters(crone, 'firstwitch')
  await configures(crone, {})
  const [kicked, banned, lost] = [
    await a.client('hag66@localhost/pda'),
    await b.client('wiccarocks@localhost/laptop'),
    await b.client('hecate@localhost/broom'),
  ]
  for (const [number, client] of [kicked, banned, lost].entries()) await enters(client, `witch${number}`)
  await changes(crone, [{ jid: 'hecate@localhost', affiliation: 'member' }])
  await moves([a, b], c)
  for (const client of [kicked, banned, lost]) await client.received()

  c.core.router.serve('localhost', STUCK)
  void changes(crone, [{ nick: 'witch0', role: 'none', reason: 'Avaunt, you cullion!' }])
  void changes(crone, [{ jid: 'wiccarocks@localhost', affiliation: 'outcast', reason: 'Treason' }])
  await expect.poll(() => keptAt(c), PATIENCE).toEqual([
    'crone1@localhost/desktop firstwitch moderator',
    'hecate@localhost/broom witch2 participant',
  ])
  // What the home has kept when it dies, before it tells anybody.
  await c.db.query("update room set config = config || '{\"muc#roomconfig_membersonly\": [\"1\"]}'")
  await c.db.query("delete from room_affiliation where jid = 'hecate@localhost'")
  c.dies()

  expect(await farewellOf(kicked)).toEqual([['110', '307'], 'Avaunt, you cullion!'])
  expect(await farewellOf(banned)).toEqual([['110', '301'], 'Treason'])
  expect(await farewellOf(lost)).toEqual([['110', '321'], null])
})

const RUNS = Number(process.env['HELIOGRAPH_HISTORIES'] ?? 6)
const TIMES = fc.uniqueArray(fc.nat(20), { maxLength: 3 })

/** Everybody's view, as long as the client lives: adds up to what the room is at one of these nodes. */
async function viewsAgree (views: ReadonlyMap<Client, View>, nodes: readonly Node[]): Promise<void> {
  const home = (): Node | undefined => nodes.find(({ core }) => core.rooms.atHome().includes(COVEN))
  await expect.poll(home, PATIENCE).toBeDefined() // it may have just died
  const at = home() ?? expect.fail()
  const room = await at.core.rooms.room(Jid.parse(COVEN)) ?? expect.fail('no room')
  for (const [client, view] of views) {
    await expect.poll(async () => {
      for (const xml of await client.received()) view.hear(xml)
      return [view.isIn, view.seen]
    }, PATIENCE).toEqual(room.session(client.session.jid) ? [true, truthOf(room, client.session.jid)] : [false, []])
  }
}

test('each occupant sees the room as it is, at whatever node, also when it moves and its home dies', {
  timeout: 60_000 + RUNS * 10_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(deed, { minLength: 5, maxLength: 20 }),
      fc.nat(10),
      TIMES,
      fc.nat(8),
      async (deeds, dying, moving, untilDeath) => {
        const { a, b, c } = await threeNodes()
        let nodes = [a, b, c]
        const crone = await a.client('crone1@localhost/desktop')
        const witches: Client[] = []
        // An account's devices are at one home.
        for (const device of DEVICES) witches.push(await (device.startsWith('hag66') ? a : b).client(device))
        const views = new Map([crone, ...witches].map(client => [client, new View()]))
        await enters(crone, 'firstwitch')
        await configures(crone, {})

        for (const [number, one] of deeds.entries()) {
          if (moving.includes(number)) await moves(nodes, number % 2 === 0 ? a : b)
          if (number === dying) {
            await moves([a, b], c)
            c.core.router.serve('localhost', STUCK)
          }
          const done = perform(one, witches, crone)
          if (number === dying) {
            await delay(untilDeath)
            c.dies()
            nodes = [a, b]
          }
          if (number !== dying || 'witch' in one) await done // the answer to a request is lost as well
        }

        await viewsAgree(views, nodes)
        for (const node of nodes) node.dies()
      }), { numRuns: RUNS, endOnFailure: true })
})
