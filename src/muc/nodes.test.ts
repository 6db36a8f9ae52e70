/** Rooms of a server that has several nodes: for whoever is in there is but one room, and it outlives its node. */
import { expect, test } from 'vitest'
import { archive } from '../../extensions/archive/index.ts'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import { RedisNodes } from '../../test/support/cluster/redis-cluster.ts'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import { expectHeard, PATIENCE, takesOver, threeNodes, witches } from '../../test/support/cluster/room-nodes.ts'
import { configures, enters, leaves, says } from '../../test/support/world/rooms.ts'

const PING = "<ping xmlns='urn:xmpp:ping'/>"

test('a room has one home, which is its place, for all who are in', async () => {
  const cluster = await threeNodes()
  const [first, second] = await witches(cluster)

  await says(first, 'hello', cluster.room)
  await says(second, 'good day', cluster.room)

  expect(await expectHeard(first, 'secondwitch: good day')).toEqual(['firstwitch: hello', 'secondwitch: good day'])
  expect(await expectHeard(second, 'secondwitch: good day')).toEqual(['firstwitch: hello', 'secondwitch: good day'])
  expect([cluster.a, cluster.b, cluster.c].map(({ core }) => core.rooms.atHome())).toEqual([[], [], [cluster.room]])
})

test('a room that is not persistent is gone when all nodes were, and others are not', async () => {
  const nodes = await RedisNodes.begin([archive, streamManagement])
  const a = await nodes.start()
  await a.db.query('delete from room')
  const crone = await a.client('crone1@localhost/desktop')
  for (const [room, values] of [['left', {}], ['kept', { persistentroom: '1' }]] as const) {
    await enters(crone, 'firstwitch', '', `${room}@conference.localhost`)
    await configures(crone, values, `${room}@conference.localhost`)
  }
  a.dies()
  await nodes.redis.restartEmpty()

  const b = await nodes.start()
  const hag = await b.client('hag66@localhost/pda')
  await enters(hag, 'thirdwitch', '', 'hags@conference.localhost')
  await configures(hag, {}, 'hags@conference.localhost')

  const rooms = async (): Promise<readonly string[]> =>
    (await b.db.query<{ readonly jid: string }>('select jid from room order by jid')).map(({ jid }) =>
      jid.split('@')[0] ?? ''
    )
  await expect.poll(rooms, PATIENCE).toEqual(['hags', 'kept'])
})

test('how far a room was heard is remembered as long as one is in, whatever the nick', async () => {
  const cluster = await threeNodes()
  const { room } = cluster
  const [first, second] = await witches(cluster)
  const remembered = (): readonly string[] => [...second.session.heard?.keys() ?? []]
  await says(first, 'hello', room)
  await expectHeard(second, 'firstwitch: hello')

  await second.sends(`<presence to='${room}/otherwitch'/>`)
  await expectHeard(second, 'otherwitch none/participant 110')
  const within = remembered()
  await leaves(second, 'otherwitch', room)
  await expectHeard(second, 'gone otherwitch none/none 110')

  expect(within).toEqual([room])
  expect(remembered()).toEqual([])
})

test('a private message reaches each device of who is at home elsewhere, and is kept once', async () => {
  const cluster = await threeNodes()
  const { b, room } = cluster
  const [first, laptop] = await witches(cluster)
  const phone = await b.client('wiccarocks@localhost/phone')
  await enters(phone, 'secondwitch', '', room)
  await expectHeard(phone, `subject "" by ${room}`)

  await first.sends(`<message to='${room}/secondwitch' type='chat' id='1'><body>hush</body>` +
    "<origin-id xmlns='urn:xmpp:sid:0' id='1'/></message>")

  const HUSH = 'privately firstwitch: hush'
  expect(
    [await expectHeard(laptop, HUSH), await expectHeard(phone, HUSH)].map(all => all.filter(heard => heard === HUSH)),
  ).toEqual([[HUSH], [HUSH]])
  const kept = await b.db.query<{ count: number }>(
    "select count(*)::int as count from archive_message where owner = 'wiccarocks@localhost'",
  )
  expect(kept).toEqual([{ count: 1 }])
})

test('who is blocked by his own address does not reach by a room who is at home elsewhere (XEP-0191 §3.3)', async () => {
  const cluster = await threeNodes()
  const { room } = cluster
  const [first, second] = await witches(cluster)
  await second.asks('set', "<block xmlns='urn:xmpp:blocking'><item jid='crone1@localhost'/></block>")

  await first.sends(`<message to='${room}/secondwitch' type='chat'><body>psst</body></message>`)
  const asked = first.asks('get', "<query xmlns='jabber:iq:version'/>", `${room}/secondwitch`)

  await expect(asked).rejects.toThrow('service-unavailable')
  expect(await expectHeard(first, 'error service-unavailable')).toEqual(['error service-unavailable'])
  await says(first, 'hello all', room)
  expect((await expectHeard(second, 'firstwitch: hello all')).join()).not.toMatch(/psst|version/)
})

test('a room that is not there is nobody\'s home afterwards', async () => {
  const { a, c, room } = await threeNodes()
  const hecate = await a.client('hecate@localhost/broom')

  await expect(hecate.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", room)).rejects.toThrow(
    'item-not-found',
  )

  await expect.poll(() => c.cluster.redis.commands.get(`hg:home:${room}`)).toBeNull()
})

test('a room goes on at another node when its own has died, with who is in, what they are and what they said', async () => {
  const cluster = await threeNodes()
  const { a, c, room } = cluster
  const [first, second] = await witches(cluster)
  await first.asks(
    'set',
    `<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='secondwitch' role='moderator'/></query>`,
    room,
  )
  await second.sends(`<presence to='${room}/secondwitch'><show>away</show></presence>`)
  await says(first, 'before', room)
  await expectHeard(first, 'firstwitch: before')
  await expectHeard(second, 'firstwitch: before')

  c.dies()

  await expect(second.asks('get', PING, `${room}/secondwitch`)).resolves.toBeUndefined()
  await says(second, 'after', room)
  for (const witch of [first, second]) {
    const heard = await expectHeard(witch, 'secondwitch: after')
    expect(heard.filter(one => one.includes(': '))).toEqual(['secondwitch: after'])
  }
  const third = await a.client('hag66@localhost/pda')
  await enters(third, 'thirdwitch', '', room)
  const welcome = await expectHeard(third, `subject "" by ${room}`)
  expect(welcome.slice(0, 2)).toEqual(['firstwitch owner/moderator', 'secondwitch none/moderator'])
})

test('a room goes on with who is in however many homes have died before', async () => {
  const cluster = await threeNodes()
  const { nodes, a, b, c, room } = cluster
  const [first] = await witches(cluster)
  c.dies()
  await expect(first.asks('get', PING, `${room}/firstwitch`)).resolves.toBeUndefined()
  const d = await nodes.start()
  await expect.poll(() => a.cluster.membership.nodes).toHaveLength(3)
  await takesOver(d, room, [a, b])

  d.dies()

  await expect(first.asks('get', PING, `${room}/firstwitch`)).resolves.toBeUndefined()
})

test('who left while the room had no home is not in any more', async () => {
  const cluster = await threeNodes()
  const { c, room } = cluster
  const [first, second] = await witches(cluster)

  c.dies()
  await leaves(second, 'secondwitch', room)

  expect((await expectHeard(first, 'gone secondwitch none/none wiccarocks@localhost/laptop')).at(-1)).toMatch(/^gone/)
})

test('who was at home where the room was, and does not come back, is taken out', async () => {
  const cluster = await threeNodes()
  const { c, room } = cluster
  const [first] = await witches(cluster)
  const third = await c.client('hag66@localhost/pda')
  await enters(third, 'thirdwitch', '', room)
  await expectHeard(first, 'thirdwitch none/participant hag66@localhost/pda')
  await expect.poll(() => c.cluster.records.accountsOf(c.cluster.membership.id)).toContain('hag66@localhost')

  c.dies()

  await expectHeard(first, 'gone thirdwitch none/none hag66@localhost/pda')
})

test('a node that leaves hands its rooms over, with who is in', async () => {
  const cluster = await threeNodes()
  const { a, b, c, room } = cluster
  const [first, second] = await witches(cluster)

  c.cluster.homes.leave()
  await c.core.rooms.giveUp(room)
  await says(first, 'still here', room)

  await expectHeard(second, 'firstwitch: still here')
  expect([a, b, c].flatMap(({ core }) => core.rooms.atHome())).toEqual([room])
  expect(c.core.rooms.atHome()).toEqual([])
})

test('a room that its owner has yet to configure is handed over as it is, and goes on where its home has died', async () => {
  const { a, b, c, room } = await threeNodes()
  const first = await a.client('crone1@localhost/desktop')
  await enters(first, 'firstwitch', '', room)
  await expectHeard(first, `subject "" by ${room}`)

  c.cluster.homes.leave()
  await takesOver(b, room, [a, c])
  expect(b.core.rooms.atHome()).toEqual([room])
  b.dies()

  await expect(first.asks('get', PING, `${room}/firstwitch`)).resolves.toBeUndefined()
  const stranger = await a.client('hag66@localhost/pda')
  await enters(stranger, 'thirdwitch', '', room)
  expect(await expectHeard(stranger, 'error item-not-found')).toEqual(['error item-not-found'])
  await configures(first, {}, room)
})

test('how long somebody has to wait until he may write again holds at the next home', async () => {
  const cluster = await threeNodes()
  const { c, room } = cluster
  const [first, second] = await witches(cluster)
  await configures(first, { 'muc#roomconfig_slow_mode_duration': '600' }, room)
  await says(second, 'one', room)
  await expectHeard(first, 'secondwitch: one')

  c.dies()
  await says(second, 'two', room)

  await expectHeard(second, 'error policy-violation')
})

test('nothing is kept of a room that was destroyed when all who were in have heard of it (§10.9)', async () => {
  const cluster = await threeNodes()
  const { c, room } = cluster
  const [first, second] = await witches(cluster)

  await first.asks('set', "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>", room)

  await expectHeard(first, 'gone firstwitch none/none 110 destroyed')
  await expectHeard(second, 'gone secondwitch none/none 110 destroyed')
  expect(await c.cluster.redis.commands.exists(`hg:room:${c.cluster.membership.id}:${room}`)).toBe(0)
  await enters(second, 'secondwitch', '', room)
  expect(await expectHeard(second, `subject "" by ${room}`)).toContain(
    'secondwitch owner/moderator wiccarocks@localhost/laptop 110 201',
  )
})

test('who is in a room that is destroyed as its home dies hears of it all the same, and why (§10.9)', async () => {
  const cluster = await threeNodes()
  const { c, room } = cluster
  const [first, second] = await witches(cluster)
  const recordOf = (): Promise<string | null> =>
    c.cluster.redis.commands.hget(`hg:room:${c.cluster.membership.id}:${room}`, '/destroyed')

  c.core.router.serve('localhost', {
    receive: () => new Promise<void>(() => {}),
    receiveHere: () => new Promise<boolean>(() => {}),
  }) // nobody hears anything of it
  void first.asks(
    'set',
    "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy jid='hags@conference.localhost'><reason>Macbeth doth come.</reason></destroy></query>",
    room,
  ).catch(() => {}) // its answer is lost
  await expect.poll(recordOf, PATIENCE).not.toBeNull()
  c.dies()

  expect(
    (await expectHeard(first, 'gone firstwitch none/none 110 destroyed hags@conference.localhost Macbeth doth come.'))
      .filter(line => line.startsWith('gone')),
  ).toHaveLength(1)
  expect(
    (await expectHeard(second, 'gone secondwitch none/none 110 destroyed hags@conference.localhost Macbeth doth come.'))
      .filter(line => line.startsWith('gone')),
  ).toHaveLength(1)
  await says(second, 'hail', room)
  await expectHeard(second, 'error item-not-found')
})

test('who is in a room that is no more when its home has died hears that it was destroyed (§10.9)', async () => {
  const cluster = await threeNodes()
  const { c } = cluster
  const [first, second] = await witches(cluster)

  // What the home has done when it dies, before all else.
  await c.db.query('delete from room')
  c.dies()

  await expectHeard(first, 'gone firstwitch none/none 110 destroyed')
  await expectHeard(second, 'gone secondwitch none/none 110 destroyed')
})

test('who has given a room up keeps nothing of it any more', async () => {
  const cluster = await threeNodes()
  const { a, b, c, room } = cluster
  const { commands } = a.cluster.redis
  const recordAt = ({ cluster: { membership } }: Node): string => `hg:room:${membership.id}:${room}`
  const [first, second] = await witches(cluster)
  await says(first, 'one', room)
  await expectHeard(second, 'firstwitch: one')

  await takesOver(a, room, [b, c])

  // What is written a while after a message is written now, and what was to be after the one before would be by then.
  const before = await commands.hget(recordAt(a), '')
  await says(first, 'two', room)
  await expect.poll(() => commands.hget(recordAt(a), ''), PATIENCE).not.toBe(before)
  expect(await commands.exists(recordAt(c))).toBe(0)
})
