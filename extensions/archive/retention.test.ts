/** What is removed from archives, and what remains (XEP-0313 §3.2). */
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../../test/support/run/database.ts'
import type { PostgresDatabase } from '../../src/storage/postgres.ts'
import { readRange } from './pages.ts'
import { removeOld } from './retention.ts'
import type { Retention } from './retention.ts'
import { append, loadTails } from './store.ts'

const DAY = 86_400_000
const NOW = 1_800_000_000_000
const ROMEO = 'romeo@localhost'
const JULIET = 'juliet@localhost'

let db: PostgresDatabase

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())
beforeEach(async () => {
  await db.query('delete from account')
  for (const jid of [ROMEO, JULIET]) await addAccount(jid)
})

async function addAccount (jid: string): Promise<void> {
  await db.query("insert into account (jid, scram_sha_1, scram_sha_256, scram_sha_512) values ($1, '', '', '')", [jid])
}

/** An archive of messages so many days old; those sent by the owner are negative. */
async function fill (owner: string, ...ages: readonly number[]): Promise<void> {
  await append(db, ages.map((age, index) => ({
    owner, seq: index + 1, peer: 'nurse@localhost', isSent: age < 0, sentAt: NOW - Math.abs(age) * DAY,
    fingerprint: `${owner} ${index + 1}`, stanza: Buffer.from('<message/>'),
  })), false)
}

async function delivered (owner: string, upTo: number): Promise<void> {
  await db.query(
    'insert into archive_position (owner, delivered) values ($1, $2) on conflict (owner) do update set delivered = $2',
    [owner, upTo],
  )
}

async function rows (owner: string): Promise<readonly string[]> {
  const kept = await db.query<{ seq: number, stanza: string }>(
    'select seq, stanza from archive_message where owner = $1 order by seq',
    [owner],
  )
  return kept.map(({ seq, stanza }) => `${seq}${stanza === '' ? ' emptied' : ''}`)
}

async function tail (owner: string) {
  return (await loadTails(db, [owner])).get(owner)
}

/** The one host's rule. */
function on (retention: Retention): ReadonlyMap<string, Retention> {
  return new Map([['localhost', retention]])
}

test('for ever is for ever', async () => {
  await fill(ROMEO, 10_000, 0)

  await removeOld(db, on('forever'), NOW)

  expect(await rows(ROMEO)).toEqual(['1', '2'])
})

test('what is older than so many days goes, in every archive', async () => {
  await fill(ROMEO, 40, 31, 30, 29, 0)
  await fill(JULIET, 50, 10)

  await removeOld(db, on({ days: 30 }), NOW)

  expect(await rows(ROMEO)).toEqual(['3', '4', '5'])
  expect(await rows(JULIET)).toEqual(['2'])
  expect(await readRange(db, ROMEO)).toEqual({ first: 3, last: 5 })
})

test('each host has its own rule, and what is of no host here stays', async () => {
  const hosts = ['forever', 'days', 'week', 'delivered', 'gone']
  for (const host of hosts) {
    await addAccount(`nurse@${host}.example`)
    await fill(`nurse@${host}.example`, 40, 20, 10, 0)
    await delivered(`nurse@${host}.example`, 4)
  }

  await removeOld(db, new Map<string, Retention>([
    ['forever.example', 'forever'], ['days.example', { days: 30 }], ['week.example', { days: 7 }],
    ['delivered.example', 'until-delivered'],
  ]), NOW)

  expect(await Promise.all(hosts.map(host => rows(`nurse@${host}.example`)))).toEqual([
    ['1', '2', '3', '4'], ['2', '3', '4'], ['4'], ['4 emptied'], ['1', '2', '3', '4'],
  ])
})

test('no number is used twice, also where an archive is empty after that', async () => {
  await fill(ROMEO, 40, 40, 40)
  expect(await tail(ROMEO)).toMatchObject({ last: 3 })

  await removeOld(db, on({ days: 30 }), NOW)

  expect(await rows(ROMEO)).toEqual([])
  expect(await readRange(db, ROMEO)).toBeUndefined()
  expect(await tail(ROMEO)).toEqual({ last: 3, recent: new Map() })
  await append(db, [{
    owner: ROMEO,
    seq: 4,
    peer: JULIET,
    isSent: false,
    sentAt: NOW - 40 * DAY,
    fingerprint: undefined,
    stanza: Buffer.from('<message/>'),
  }], false)
  await removeOld(db, on({ days: 30 }), NOW)
  expect(await tail(ROMEO)).toMatchObject({ last: 4 })
})

test('no hole is left where a clock was wrong', async () => {
  await fill(ROMEO, 40, 0, 40, 0)

  await removeOld(db, on({ days: 30 }), NOW)

  expect(await rows(ROMEO)).toEqual(['2', '3', '4'])
})

test('it takes many steps where there is much', async () => {
  for (let n = 0; n < 450; n++) await addAccount(`user${n}@localhost`)
  for (const n of [0, 199, 200, 449]) await fill(`user${n}@localhost`, ...Array.from({ length: 250 }, () => 40), 0)

  await removeOld(db, on({ days: 30 }), NOW)

  expect(await db.query('select seq from archive_message')).toEqual(Array.from({ length: 4 }, () => ({ seq: 251 })))
})

test('what a device has is emptied at once, and what one sent; what waits for a device stays', async () => {
  await fill(ROMEO, 3, -3, 2, 1, -1)
  await delivered(ROMEO, 3)
  await fill(JULIET, 3, -3)

  await removeOld(db, on('until-delivered'), NOW)

  expect(await rows(ROMEO)).toEqual(['4', '5'])
  expect(await readRange(db, ROMEO)).toEqual({ first: 4, last: 5 })
  expect(await rows(JULIET)).toEqual(['1', '2'])
})

test('what was emptied tells for a day that a message comes again', async () => {
  await fill(ROMEO, 0.9, 0.5, -0.1)
  await delivered(ROMEO, 2)

  await removeOld(db, on('until-delivered'), NOW)

  expect(await rows(ROMEO)).toEqual(['1 emptied', '2 emptied', '3 emptied'])
  expect(await readRange(db, ROMEO)).toBeUndefined()
  expect(await tail(ROMEO)).toMatchObject({ last: 3 })
  await removeOld(db, on('until-delivered'), NOW + 0.6 * DAY)
  expect(await rows(ROMEO)).toEqual(['3 emptied'])
  await removeOld(db, on('until-delivered'), NOW + DAY)
  expect(await rows(ROMEO)).toEqual([])
  expect(await tail(ROMEO)).toEqual({ last: 3, recent: new Map() })
})

test('an account takes all of it away', async () => {
  await fill(ROMEO, 40, 0)
  await removeOld(db, on({ days: 30 }), NOW)
  await delivered(ROMEO, 2)

  await db.query('delete from account where jid = $1', [ROMEO])

  expect(await tail(ROMEO)).toBeUndefined()
  expect(await db.query('select * from archive_position')).toEqual([])
})

test('rooms have rules of their own', async () => {
  const coven = 'coven@conference.localhost'
  await db.query(`insert into room (jid, service, name, is_public, is_persistent, config)
    values ($1, 'conference.localhost', '', true, true, '{}')`, [coven])
  onTestFinished(() => db.query('delete from room').then(() => {}))
  await fill(coven, 40, 20, 0)
  await fill(ROMEO, 40, 0)

  await removeOld(db, on({ days: 30 }), NOW)
  expect(await rows(coven)).toEqual(['1', '2', '3'])
  await removeOld(db, new Map([['conference.localhost', { days: 10 }]]), NOW, 'room')

  expect(await rows(coven)).toEqual(['3'])
  expect(await tail(coven)).toMatchObject({ last: 3 })
  expect(await rows(ROMEO)).toEqual(['2'])
})
