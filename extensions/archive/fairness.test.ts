/** What one may ask an archive, and what it costs the others. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PostgresDatabase } from '../../src/storage/postgres.ts'
import { testDatabase } from '../../test/support/run/database.ts'
import { COVEN, enters } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client } from '../../test/support/world/world.ts'
import { archive } from './index.ts'
import { countMessages, MAX_LOOKED_AT, readPage } from './pages.ts'
import type { Range } from './pages.ts'

const NS = 'urn:xmpp:mam:2'
const OWNER = 'romeo@localhost'
const PEER = 'juliet@localhost'

let db: PostgresDatabase

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())

function query (fields: Readonly<Record<string, string>> = {}, max = 100): string {
  const all = Object.entries({ FORM_TYPE: NS, ...fields }).map(([name, value]) =>
    `<field var='${name}'><value>${value}</value></field>`
  )
  return `<query xmlns='${NS}'><x xmlns='jabber:x:data' type='submit'>${all.join('')}</x>` +
    `<set xmlns='http://jabber.org/protocol/rsm'><max>${max}</max></set></query>`
}

/** So many messages of a conversation, of which the ones with these numbers come from another resource. */
async function fill (count: number, rare: readonly number[] = []): Promise<Range> {
  await db.query('delete from archive_message')
  await db.query(`
    insert into archive_message (owner, seq, peer, is_sent, sent_at, stanza)
    select $1, n, $2, false, n, '<message xmlns=''jabber:client'' from=''' || $2 || case when n = any($4::int[]) then '/rare' else '/usual' end
      || ''' to=''' || $1 || '''><body>' || n || '</body></message>'
    from generate_series(1, $3::int) as n`, [OWNER, PEER, count, rare])
  return { first: 1, last: count }
}

test('a query is answered before the rest of those that another account has asked', async () => {
  const server = await world(archive)
  const mallory = await server.client('mallory@localhost/a')
  const juliet = await server.client('juliet@localhost/balcony')
  const answered: string[] = []
  const asks = async (client: Client, name: string): Promise<void> => {
    await client.asks('set', query())
    answered.push(name)
  }

  const flood = Array.from({ length: 60 }, () => asks(mallory, 'mallory'))
  await Promise.all([...flood, asks(juliet, 'juliet')])

  expect(answered.indexOf('juliet')).toBeLessThan(10)
})

test('who asks on and on is told to wait, in whichever archive', async () => {
  const server = await world(archive)
  const mallory = await server.client('mallory@localhost/a')
  await enters(mallory, 'M')

  const answers = await Promise.allSettled(
    Array.from({ length: 100 }, (_, n) => mallory.asks('set', query(), n % 2 ? COVEN : undefined)),
  )

  expect(answers.filter(({ status }) => status === 'fulfilled')).not.toHaveLength(100)
  expect(answers.flatMap(answer => answer.status === 'rejected' ? String(answer.reason) : []))
    .toEqual(expect.arrayContaining(['Error: resource-constraint']))
})

test('messages that no index leads to are looked at as far as that is worth while', async () => {
  const range = await fill(MAX_LOOKED_AT + 50, [3, 5, MAX_LOOKED_AT + 20])
  const filter = { peer: PEER, resource: `${PEER}/rare` }

  const forwards = await readPage(db, OWNER, range, filter, 10, false)
  const backwards = await readPage(db, OWNER, range, filter, 10, true)
  const rest = await readPage(db, OWNER, { first: 30, last: range.last }, filter, 10, false)

  expect(forwards).toMatchObject({ messages: [{ seq: 3 }, { seq: 5 }], isComplete: false })
  expect(backwards).toMatchObject({ messages: [{ seq: MAX_LOOKED_AT + 20 }], isComplete: false })
  expect(rest).toMatchObject({ messages: [{ seq: MAX_LOOKED_AT + 20 }], isComplete: false })
  expect(await countMessages(db, OWNER, range, filter)).toBeUndefined()
})

test('a query that would have to look at all of a long archive to find nothing has to be narrower', async () => {
  const range = await fill(MAX_LOOKED_AT + 1)
  const filter = { peer: PEER, resource: `${PEER}/nosuch` }

  await expect(readPage(db, OWNER, range, filter, 10, false)).rejects.toMatchObject({ condition: 'policy-violation' })
  expect(await readPage(db, OWNER, { first: 2, last: range.last }, filter, 10, false)).toEqual({
    messages: [],
    isComplete: true,
  })
})

test('what leads nowhere in a short conversation is found to be nothing, beside a long one', async () => {
  const range = await fill(MAX_LOOKED_AT + 1)
  const filter = { peer: 'nurse@localhost', resource: 'nurse@localhost/nosuch' }

  expect(await readPage(db, OWNER, range, filter, 10, false)).toEqual({ messages: [], isComplete: true })
  expect(await countMessages(db, OWNER, range, filter)).toBe(0)
})

test('a page comes when its client has read what it was sent before', async () => {
  const server = await world(archive)
  const romeo = await server.client('romeo@localhost/orchard')
  await romeo.says('juliet@localhost', 'hist')
  await romeo.received()

  const readsOn = romeo.hasEnough()
  const answered = romeo.asks('set', query())
  const early = await romeo.received()
  readsOn()
  await answered

  expect(early).toEqual([])
  expect(await romeo.received()).toEqual([expect.stringContaining('hist')])
})
