/** What a large group costs where few of its members are online: nothing but those. */
import { pino } from 'pino'
import { beforeAll, afterAll, beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../../test/support/run/database.ts'
import type { PostgresDatabase } from '../../src/storage/postgres.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import type { Database } from '../../src/extension/api.ts'
import { MembersHere } from './members-here.ts'

const ROOM = 'coven@conference.localhost'
const MEMBERS = 10_000

let postgres: PostgresDatabase
let online: Set<string>
let queries: number
let first: string[]
let members: MembersHere

beforeAll(async () => {
  postgres = await testDatabase()
  await postgres.query(
    `insert into room (jid, service, name, is_public, is_persistent, config) values ($1, 'x', '', false, true, '{}')`,
    [ROOM],
  )
  await postgres.query(`insert into room_affiliation (room, jid, affiliation)
    select $1, 'member' || n || '@localhost', case when n = 0 then 'outcast' else 'member' end from generate_series(0, $2) as n`,
  [ROOM, MEMBERS],
  )
})
afterAll(() => postgres.close())
beforeEach(() => {
  online = new Set()
  queries = 0
  first = []
  const counting: Pick<Database, 'query'> = {
    query (text, values) {
      queries++
      return postgres.query(text, values)
    },
  }
  members = new MembersHere({
    db: { ...counting, transaction: work => postgres.transaction(work) }, log: pino({ level: 'silent' }),
    isOnline: account => online.has(account.toString()), first: room => { first.push(room) },
  })
})

function member (n: number): Jid {
  const account = Jid.parse(`member${n}@localhost`)
  online.add(account.toString())
  return account
}

test('who comes online is looked up once, many together, and no message looks anybody up', async () => {
  const accounts = Array.from({ length: 100 }, (_, n) => member(n + 1))

  await Promise.all(accounts.map(account => members.look(account)))

  expect(queries).toBeLessThanOrEqual(2)
  const before = queries
  for (let message = 0; message < 1000; message++) expect(members.of(ROOM)).toHaveLength(accounts.length)
  expect(queries).toBe(before)
  expect(first).toEqual([ROOM])
})

test('who goes, is an outcast or a stranger, or wants no messages, is not among them', async () => {
  await postgres.query('insert into room_away_off (room, account) values ($1, $2)', [ROOM, 'member3@localhost'])
  const [gone, unwilling] = [member(2), member(3)]
  const all = [member(0), member(1), gone, unwilling, member(MEMBERS + 1)]
  await Promise.all(all.map(account => members.look(account)))
  members.remove(gone)

  expect(members.of(ROOM).map(String)).toEqual(['member1@localhost'])
})

test('a message waits for the look-ups before it, not for those behind', async () => {
  const answers = [Promise.resolve([]), new Promise<never>(() => {})]
  const slow = new MembersHere({
    db: {
      query: () => answers.shift() ?? expect.fail('a third look-up'),
      transaction: () => expect.fail('a transaction'),
    },
    log: pino({ level: 'silent' }), isOnline: () => true, first: () => {},
  })
  const before = slow.look(member(1))
  const settled = slow.settled()
  const behind = slow.look(member(2))

  await settled

  await before
  await expect(Promise.race([behind, Promise.resolve('under way')])).resolves.toBe('under way')
})

test('who goes while he is looked up is not among them', async () => {
  const looking = members.look(member(1))
  online.clear()
  await members.settled()
  await looking

  expect(members.of(ROOM)).toEqual([])
  expect(members.settled()).toBeUndefined()
})
