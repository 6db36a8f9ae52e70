/** Many retractions of one author, and the few of others. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { online } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { archive } from '../archive/index.ts'
import { retraction } from './index.ts'

const MANY = 1001

/** What somebody's archive holds that is not retracted. */
async function bodies (server: World, owner: string): Promise<readonly string[]> {
  const rows = await server.db.query<{ stanza: string }>(
    "select stanza from archive_message where owner = $1 and stanza like '%<body>%' order by seq", [owner])
  return rows.map(({ stanza }) => /<body>(.*?)<\/body>/.exec(stanza)?.[1] ?? '')
}

const retracts = (client: Client, to: string, id: string): Promise<void> =>
  client.sends(
    `<message to='${to}' type='chat' id='no-${id}'><retract id='${id}' xmlns='urn:xmpp:message-retract:1'/></message>`,
  )

/** Does something while no retraction is carried out to its end. */
async function meanwhile (server: World, task: () => Promise<void>): Promise<void> {
  await server.db.query(`create function wait () returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock_shared(18); return old; end $$`)
  await server.db.query('create trigger wait before delete on retraction_waiting for each row execute function wait()')
  try {
    await server.db.transaction(async tx => {
      await tx.query('select pg_advisory_xact_lock(18)')
      await task()
    })
  } finally {
    await server.db.query('drop function wait cascade')
  }
}

test.each([
  ['to oneself', 'mallory@localhost'], ['to another', 'romeo@localhost'],
])('who retracts on and on, %s, is told to wait, and nobody else', async (_whom, to) => {
  const server = await world(archive, retraction)
  const mallory = await server.client('mallory@localhost/a')
  await server.client('juliet@localhost/balcony')
  const romeo = await online(server, 'romeo@localhost/orchard')
  await romeo.sends("<message to='juliet@localhost' type='chat' id='one'><body>Have not saints lips?</body></message>")

  await meanwhile(server, async () => {
    for (let n = 0; n < MANY; n += 100)
      await Promise.all(Array.from({ length: 100 }, (_, i) => retracts(mallory, to, `none${n + i}`)))
    await retracts(romeo, 'juliet@localhost', 'one')
  })
  const refused = (await mallory.received()).filter(xml => xml.includes("type='error'"))

  expect(refused.length).toBeGreaterThan(MANY / 2)
  for (const xml of refused) expect(xml).toContain('resource-constraint')
  expect((await romeo.received()).filter(xml => xml.includes("type='error'"))).toEqual([])
  await expect.poll(() => bodies(server, 'romeo@localhost')).toEqual([])
})

test('a retraction is carried out before the rest of those that another has waiting', async () => {
  const server = await world(archive, retraction)
  const mallory = await server.client('mallory@localhost/a')
  await server.client('nurse@localhost/chamber')
  const romeo = await server.client('romeo@localhost/orchard')
  await romeo.sends("<message to='juliet@localhost' type='chat' id='one'><body>Have not saints lips?</body></message>")
  await server.db.query('create table left_then (n int)')
  await server.db.query(`create function note () returns trigger language plpgsql as $$ begin
    insert into left_then select count(*) from retraction_waiting where owner = 'nurse@localhost'; return null; end $$`)
  await server.db.query(
    `create trigger note after delete on retraction_waiting for each row when (old.owner = 'romeo@localhost') execute function note()`,
  )

  await meanwhile(server, async () => {
    await Promise.all(Array.from({ length: 90 }, (_, n) => retracts(mallory, 'nurse@localhost', `none${n}`)))
    await retracts(romeo, 'juliet@localhost', 'one')
  })
  await expect.poll(() => bodies(server, 'romeo@localhost')).toEqual([])
  const [left] = await server.db.query<{ n: number }>('select n from left_then')
  await server.db.query('drop function note cascade')
  await server.db.query('drop table left_then')

  expect(left?.n).toBeGreaterThan(70)
})

test('who reads his archive waits for nothing else of whoever has retracted something in it', async () => {
  const server = await world(archive, retraction)
  const mallory = await server.client('mallory@localhost/a')
  await server.client('nurse@localhost/chamber')
  const juliet = await server.client('juliet@localhost/balcony')
  await server.db.query('create table left_then (n int)')
  await server.db.query(`create function note () returns trigger language plpgsql as $$ begin
    insert into left_then select count(*) from retraction_waiting where owner = 'nurse@localhost'; return null; end $$`)
  await server.db.query(
    `create trigger note after delete on retraction_waiting for each row when (old.owner = 'juliet@localhost') execute function note()`,
  )

  let read: Promise<unknown> | undefined
  await meanwhile(server, async () => {
    await Promise.all(Array.from({ length: 90 }, (_, n) => retracts(mallory, 'nurse@localhost', `none${n}`)))
    await retracts(mallory, 'juliet@localhost', 'one')
    read = juliet.asks('set', "<query xmlns='urn:xmpp:mam:2'/>")
    await new Promise(resolve => { setImmediate(resolve) })
  })
  await read

  const [left] = await server.db.query<{ n: number }>('select n from left_then')
  await server.db.query('drop function note cascade')
  await server.db.query('drop table left_then')
  expect(left?.n).toBeGreaterThan(70)
})

test('retractions that fail on and on hold up no others', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => { vi.useRealTimers() })
  const server = await world(archive, retraction)
  await server.db.query(
    `create function fail () returns trigger language plpgsql as $$ begin raise exception 'stuck'; end $$`,
  )
  await server.db.query(
    "create trigger fail before delete on retraction_waiting for each row when (old.owner = 'a@localhost') execute function fail()",
  )
  await server.db.query(`insert into retraction_waiting (owner, seq)
    select 'a@localhost', n from generate_series(1, 200) as n union select 'b@localhost', 1`)

  for (let round = 0; round < 2; round++) {
    vi.advanceTimersByTime(60_000)
    await server.idle()
  }

  const left = await server.db.query("select seq from retraction_waiting where owner = 'b@localhost'")
  await server.db.query('drop function fail cascade')
  await server.db.query('delete from retraction_waiting')
  expect(left).toEqual([])
})

test('who retracts something and asks the archive then finds it gone, and so does the other side', async () => {
  const server = await world(archive, retraction)
  const romeo = await server.client('romeo@localhost/orchard')
  const juliet = await server.client('juliet@localhost/balcony')
  await romeo.sends("<message to='juliet@localhost' type='chat' id='one'><body>Have not saints lips?</body></message>")
  const reads = async (client: Client): Promise<string> => {
    await client.asks('set', "<query xmlns='urn:xmpp:mam:2'/>")
    return (await client.received()).join('')
  }

  await retracts(romeo, 'juliet@localhost', 'one')
  const found = await Promise.all([romeo, juliet].map(reads))

  for (const archived of found) expect(archived).toMatch(/<retracted .*<retract /)
})
