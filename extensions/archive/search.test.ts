/** XEP-0431: Full Text Search in MAM. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PostgresDatabase } from '../../src/storage/postgres.ts'
import { testDatabase } from '../../test/support/run/database.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client } from '../../test/support/world/world.ts'
import { archive } from './index.ts'
import { provideIndex } from './search.ts'

const NS = 'urn:xmpp:mam:2'
const FIELD = '{urn:xmpp:fulltext:0}fulltext'
const searchable = [archive, archive.config?.parse({ search: true })] as const

let db: PostgresDatabase

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())

async function formOf (client: Client): Promise<string> {
  return String(await client.asks('get', `<query xmlns='${NS}'/>`))
}

/** The bodies of what is found. */
async function finds (client: Client, words: string): Promise<readonly string[]> {
  await client.received()
  const field = (name: string, value: string) => `<field var='${name}'><value>${value}</value></field>`
  await client.asks('set',
    `<query xmlns='${NS}'><x xmlns='jabber:x:data' type='submit'>${field('FORM_TYPE', NS)}${field(FIELD, words)}</x></query>`)
  return (await client.received()).map(xml => /<body[^>]*>(.*?)<\/body>/.exec(xml)?.[1] ?? '')
}

async function indexes (): Promise<number> {
  return (await db.query(
    "select 1 from pg_index where indexrelid = to_regclass('archive_message_words') and indisvalid",
  )).length
}

test('messages are found by words of their bodies, in the searcher\'s own archive, in its order', async () => {
  const server = await world(searchable)
  const romeo = await server.client('romeo@localhost/orchard')
  const nurse = await server.client('nurse@localhost/chamber')
  await expect.poll(() => formOf(romeo)).toContain(FIELD)
  await romeo.says('juliet@localhost', 'But, soft! what light through yonder window breaks?')
  await romeo.says('juliet@localhost', 'It is the east, and Juliet is the sun &amp; the LIGHT.')
  await romeo.says('juliet@localhost', 'Ünïcödé is not what it was')
  await romeo.sends(
    `<message to='juliet@localhost'><body xml:lang='en'>candles</body><html xmlns='http://jabber.org/protocol/xhtml-im'>` +
    "<body xmlns='http://www.w3.org/1999/xhtml'>lamps</body></html></message>")
  await nurse.says('juliet@localhost', 'Put out the light')

  expect(await finds(romeo, 'light')).toHaveLength(2)
  expect(await finds(romeo, 'LIGHT window')).toEqual(['But, soft! what light through yonder window breaks?'])
  expect(await finds(romeo, 'light -window')).toEqual(['It is the east, and Juliet is the sun &amp; the LIGHT.'])
  expect(await finds(romeo, 'ünïcödé')).toHaveLength(1)
  expect(await finds(romeo, 'candles')).toEqual(['candles'])
  expect(await finds(romeo, 'lamps')).toEqual([])
  expect(await finds(romeo, 'juliet@localhost')).toEqual([])
  for (const wordless of ['', '&apos;:*&amp;|!('])
    expect(await finds(romeo, wordless), 'no word limits nothing').toHaveLength(4)
  expect(await finds(nurse, 'light')).toEqual(['Put out the light'])
})

test('who offers a search says so, and who does not, does not', async () => {
  const info = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
  const server = await world(searchable)
  const romeo = await server.client('romeo@localhost/orchard')
  await expect.poll(() => formOf(romeo)).toContain(FIELD)

  expect(String(await romeo.asks('get', info))).toContain('urn:xmpp:fulltext:0')
  const other = await (await world(archive)).client('romeo@localhost/orchard')
  expect(String(await other.asks('get', info))).not.toContain('urn:xmpp:fulltext:0')
})

test.each([
  ['on', { search: false, hosts: { LOCALHOST: { search: true } } }, true],
  ['off', { search: true, hosts: { localhost: { search: false }, 'example.org': { search: true } } }, false],
])('one host may have it %s where the others have not', async (_which, options, isOffered) => {
  const server = await world([archive, archive.config?.parse(options)])
  const romeo = await server.client('romeo@localhost/orchard')

  await romeo.received()

  await expect.poll(async () => (await formOf(romeo)).includes(FIELD)).toBe(isOffered)
  expect(
    String(await romeo.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>")).includes(
      'urn:xmpp:fulltext:0',
    ),
  )
    .toBe(isOffered)
  if (!isOffered) await expect(finds(romeo, 'light')).rejects.toThrow('feature-not-implemented')
})

test('the index is there only while it is wanted, and made anew where it was left unfinished', async () => {
  await provideIndex(db, false)
  expect(await indexes()).toBe(0)

  await provideIndex(db, true)
  expect(await indexes()).toBe(1)
  await db.query("update pg_index set indisvalid = false where indexrelid = to_regclass('archive_message_words')")
  await provideIndex(db, true)
  expect(await indexes()).toBe(1)
  await provideIndex(db, true)
  expect(await indexes()).toBe(1)

  await provideIndex(db, false)
  expect(await indexes()).toBe(0)
})

test('a search reads the index, and of that what is the owner\'s', async () => {
  await provideIndex(db, true)
  await db.query("insert into archive_message select 'user' || n % 2 || '@localhost', n, 'peer', false, 0, null, " +
    "'<message><body>word' || n % 700 || '</body></message>' from generate_series(1, 5000) as n")
  await db.query('analyze archive_message')

  const plan = await db.query<{ 'QUERY PLAN': string }>(
    `explain select seq from archive_message where owner = 'user1@localhost'
    and archive_words(owner, stanza) @@ (md5('user1@localhost')::tsquery && websearch_to_tsquery('simple', 'word3'))`)

  expect(plan.map(row => row['QUERY PLAN']).join('\n')).toContain('archive_message_words')
})

test.each([
  ['more bytes than a sentence has', 'x'.repeat(513)],
  ['more words', 'a '.repeat(33)],
  ['90 KB of both', '-a '.repeat(30_000)],
])('%s are not searched for', async (_what, words) => {
  const server = await world(searchable)
  const romeo = await server.client('romeo@localhost/orchard')
  await expect.poll(() => formOf(romeo)).toContain(FIELD)

  await expect(finds(romeo, words)).rejects.toThrow('policy-violation')
})

test.each([
  '-'.repeat(500),
  '- '.repeat(32),
  '"-'.repeat(250),
  '-"'.repeat(250),
  'or '.repeat(32),
  '-a or '.repeat(16),
  '(!&|:*<->\\'.repeat(30),
  "'",
].map(text => text.trim()))('%j finds nothing, and is no error', async words => {
  const server = await world(searchable)
  const romeo = await server.client('romeo@localhost/orchard')
  await expect.poll(() => formOf(romeo)).toContain(FIELD)
  await romeo.says('juliet@localhost', 'light')

  await finds(romeo, words.replaceAll('&', '&amp;').replaceAll('<', '&lt;'))

  expect(await finds(romeo, 'light')).toEqual(['light'])
})
