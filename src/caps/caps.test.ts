/** XEP-0115, XEP-0163 §4.2: of which nodes clients are known to want notifications. */
import { describe, expect, test } from 'vitest'
import {
  announced, answer, answersInfo, attribute, infoRequests, NODE, software,
} from '../../test/support/world/software.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { removeUnused } from './store.ts'

const MOOD = 'http://jabber.org/protocol/mood'
const TUNE = 'http://jabber.org/protocol/tune'

/** What the client wants, once nothing is under way. */
async function wanted ({ core, idle }: World, { session }: Client): Promise<readonly string[]> {
  await idle()
  return [...core.caps.notify(session)]
}

/** Each change of what the client wants. */
function watch ({ core }: World, { session }: Client): readonly string[] {
  const changes: string[] = []
  core.part('test').when('session.interested', (changed, before) => {
    if (changed === session) changes.push(`${[...before].join()} → ${[...core.caps.notify(session)].join()}`)
  })
  return changes
}

describe('a client is asked what it can do', () => {
  test('once it announces something that nobody knows, with the node that it names (§6.2)', async () => {
    const server = await world()
    const romeo = await server.client('romeo@localhost/orchard')
    const changes = watch(server, romeo)
    const { ver, c, query } = software(MOOD, TUNE)

    await romeo.sends(`<presence>${c}</presence>`)

    const [, request = ''] = await romeo.received()
    expect(request).toMatch(/^<iq from='localhost' to='romeo@localhost\/orchard' id='[^']+' type='get'>/)
    expect(request).toContain(` node='${NODE}#${ver}'/>`)
    expect(await wanted(server, romeo)).toEqual([])
    await romeo.sends(answer(request, query))
    expect(await wanted(server, romeo)).toEqual([MOOD, TUNE])
    expect(changes).toEqual([` → ${MOOD},${TUNE}`])
  })

  test('and others who announce the same are not, also after a restart', async () => {
    const server = await world()
    const romeo = await server.client('romeo@localhost/orchard')
    const { c, query } = software(MOOD)
    await romeo.sends(`<presence>${c}</presence>`)
    await answersInfo(server, romeo, query)

    const juliet = await server.client('juliet@localhost/balcony')
    await juliet.sends(`<presence>${c}</presence>`)
    const shared = server.core.caps.notify(juliet.session)
    const isShared = shared === server.core.caps.notify(romeo.session)
    const again = await server.restarts()
    const nurse = await again.client('nurse@localhost/kitchen')
    await nurse.sends(`<presence>${c}</presence>`)

    expect([...await infoRequests(juliet), ...await infoRequests(nurse)]).toEqual([])
    expect([...shared]).toEqual([MOOD])
    expect(isShared, 'one set for all').toBe(true)
    expect(await wanted(again, nurse)).toEqual([MOOD])
  })

  test('and those who announce the same meanwhile are not', async () => {
    const server = await world()
    const romeo = await server.client('romeo@localhost/orchard')
    const juliet = await server.client('juliet@localhost/balcony')
    const { c, query } = software(MOOD)
    await romeo.sends(`<presence>${c}</presence>`)
    const [request = ''] = await infoRequests(romeo)

    await juliet.sends(`<presence>${c}</presence>`)
    const askedMeanwhile = await infoRequests(juliet)
    await romeo.sends(answer(request, query))

    expect(await infoRequests(juliet)).toEqual([])
    expect(askedMeanwhile).toEqual([])
    expect(await wanted(server, juliet)).toEqual([MOOD])
  })

  test('again when its capabilities change, and until then it wants what it wanted', async () => {
    const server = await world()
    const romeo = await server.client('romeo@localhost/orchard')
    const changes = watch(server, romeo)
    const [before, after] = [software(MOOD), software(TUNE)]
    await romeo.sends(`<presence>${before.c}</presence>`)
    await answersInfo(server, romeo, before.query)

    await romeo.sends(`<presence>${after.c}<show>away</show></presence>`)
    const meanwhile = await wanted(server, romeo)
    await answersInfo(server, romeo, after.query)
    await romeo.sends(`<presence>${after.c}</presence>`)
    await romeo.sends('<presence/>')

    expect(meanwhile).toEqual([MOOD])
    expect(await wanted(server, romeo)).toEqual([TUNE])
    expect(changes).toEqual([` → ${MOOD}`, `${MOOD} → ${TUNE}`])
    expect(await infoRequests(romeo)).toEqual([])
  })

  test('again with its next presence, where it did not answer', async () => {
    const server = await world()
    const romeo = await server.client('romeo@localhost/orchard')
    const { c, query } = software(MOOD)
    await romeo.sends(`<presence>${c}</presence>`)
    const [request = ''] = await infoRequests(romeo)
    await romeo.sends(`<iq type='error' to='localhost' id='${attribute(request, 'id')}'><error type='cancel'>
      <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`)
    await server.idle()

    await romeo.sends(`<presence>${c}</presence>`)
    await answersInfo(server, romeo, query)

    expect(await wanted(server, romeo)).toEqual([MOOD])
  })

  test.each([
    ['it announces nothing', '<presence/>'],
    ['it announces it to somebody only', `<presence to='juliet@localhost'>${software(MOOD).c}</presence>`],
    ['it announces too much', `<presence>${announced('x'.repeat(1000))}</presence>`],
  ])('never, where %s', async (_, presence) => {
    const server = await world()
    const romeo = await server.client('romeo@localhost/orchard')

    await romeo.sends(presence)

    expect(await infoRequests(romeo)).toEqual([])
    expect(await wanted(server, romeo)).toEqual([])
  })

  test('60 times an hour for all sessions of an account', async () => {
    const server = await world()
    const romeo = await server.client('romeo@localhost/orchard')

    for (let n = 0; n < 70; n++) await romeo.sends(`<presence>${software(`urn:${n}`).c}</presence>`)

    expect(await infoRequests(romeo)).toHaveLength(60)
  })
})

describe('what can\'t be verified counts for the client that says so', () => {
  test.each([
    ['a hash of something else', announced(software(TUNE).ver)],
    ['a hash function that is unknown', announced(software(MOOD).ver, 'sha-0')],
    ['the legacy format (§13)', announced('0.9', '')],
  ])('with %s', async (_, c) => {
    const server = await world()
    const romeo = await server.client('romeo@localhost/orchard')
    const juliet = await server.client('juliet@localhost/balcony')
    await romeo.sends(`<presence>${c}</presence>`)
    await answersInfo(server, romeo, software(MOOD).query)

    await juliet.sends(`<presence>${c}</presence>`)

    expect(await wanted(server, romeo)).toEqual([MOOD])
    expect(await wanted(server, juliet)).toEqual([])
    expect(await infoRequests(juliet)).toHaveLength(1)
    expect(await server.db.query('select ver from caps')).toEqual([])
  })
})

test('who goes offline wants nothing, and the same as before on coming back', async () => {
  const server = await world()
  const romeo = await server.client('romeo@localhost/orchard')
  const changes = watch(server, romeo)
  const { c, query } = software(MOOD)
  await romeo.sends(`<presence>${c}</presence>`)
  await answersInfo(server, romeo, query)

  await romeo.sends("<presence type='unavailable'/>")
  const offline = await wanted(server, romeo)
  await romeo.sends(`<presence>${c}</presence>`)

  expect(offline).toEqual([])
  expect(changes).toEqual([` → ${MOOD}`, ` → ${MOOD}`])
})

test('an answer of who has gone offline since is nobody\'s, and known', async () => {
  const server = await world()
  const romeo = await server.client('romeo@localhost/orchard')
  const { c, query } = software(MOOD)
  await romeo.sends(`<presence>${c}</presence>`)
  const [request = ''] = await infoRequests(romeo)
  await romeo.sends("<presence type='unavailable'/>")

  await romeo.sends(answer(request, query))

  expect(await wanted(server, romeo)).toEqual([])
  expect(await server.db.query('select features from caps')).toEqual([{ features: [`${MOOD}+notify`] }])
})

test('the database keeps what is in use', async () => {
  const server = await world()
  await server.db.query(`insert into caps (hash, ver, features, used_at)
    select 'sha-1', n, array(select md5((n * m)::text) from generate_series(1, 100) m), now() - n * interval '1 second'
    from generate_series(1, 3) n`)

  await removeUnused(server.db, 10_000)

  expect(await server.db.query('select ver from caps order by ver')).toEqual([{ ver: '1' }, { ver: '2' }])
})
