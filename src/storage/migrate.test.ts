import { appendFile, cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { testSchema } from '../../test/support/run/database.ts'
import { migrate } from './migrate.ts'
import { openPostgres, type PostgresDatabase } from './postgres.ts'

let url: string
let db: PostgresDatabase
let folder: string

beforeEach(async () => {
  url = await testSchema()
  db = await open()
  folder = await mkdtemp(join(tmpdir(), 'heliograph-migrations-'))
  await write('0001-one.sql', 'create table one (a int);\ninsert into one values (1);')
  await write('0002-two.sql', 'create table two (a int);')
})

afterEach(async () => {
  await db.close()
  await rm(folder, { recursive: true })
})

function open (): Promise<PostgresDatabase> {
  return openPostgres(url, { poolSize: 2, log: pino({ level: 'silent' }) })
}

function write (file: string, sql: string): Promise<void> {
  return writeFile(join(folder, file), sql)
}

async function tables (): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>(
    'select tablename as name from pg_tables where schemaname = current_schema() order by 1')
  return rows.map(row => row.name)
}

test('migrations run once, in order, however often the program starts', async () => {
  await migrate(db, folder)
  await write('0003-three.sql', 'insert into two select a from one; drop table one;')
  await migrate(db, folder)
  await migrate(db, folder)

  expect(await db.query('select a from two')).toEqual([{ a: 1 }])
  expect(await tables()).toEqual(['migration', 'two'])
})

test('nodes that start at once run each migration once', async () => {
  await write('0002-two.sql', 'create table two (a int); select pg_sleep(0.2);')
  const nodes = await Promise.all(Array.from({ length: 4 }, open))

  await Promise.all(nodes.map(node => migrate(node, folder)))

  expect(await db.query('select a from one')).toEqual([{ a: 1 }])
  expect(await db.query('select file from migration order by file'))
    .toEqual([{ file: '0001-one.sql' }, { file: '0002-two.sql' }])
  await Promise.all(nodes.map(node => node.close()))
})

test('a migration that fails leaves nothing behind, and is named with the line', async () => {
  await write('0003-three.sql', 'create table three (a int);\n\nselect nonsense;')

  await expect(migrate(db, folder)).rejects.toThrow('0003-three.sql, line 3: column "nonsense" does not exist')
  expect(await tables()).toEqual(['migration', 'one', 'two'])
})

test('a file that was changed after it had been run is an error that names it, and nothing is run', async () => {
  await migrate(db, folder)
  await appendFile(join(folder, '0001-one.sql'), '-- changed')
  await write('0003-three.sql', 'create table three (a int);')

  await expect(migrate(db, folder)).rejects.toThrow('0001-one.sql was changed')
  expect(await tables()).not.toContain('three')
})

test('line ends are no change', async () => {
  await migrate(db, folder)
  await write('0001-one.sql', 'create table one (a int);\r\ninsert into one values (1);')

  await expect(migrate(db, folder)).resolves.toBeUndefined()
})

test('a database that a newer program has used is refused', async () => {
  await write('0003-three.sql', 'create table three (a int);')
  await migrate(db, folder)
  await rm(join(folder, '0003-three.sql'))

  await expect(migrate(db, folder)).rejects.toThrow('0003-three.sql is in the database but not in this program')
})

const WRONG = [
  ['0002-again.sql', '0002-two.sql'],
  ['0004-gap.sql', '0004-gap.sql'],
  ['three.sql', 'three.sql'],
] as const

test.each(WRONG)('a wrong number is an error that names the file: %s', async (file, named) => {
  await write(file, 'select 1')

  await expect(migrate(db, folder)).rejects.toThrow(named)
})

test('what belongs to an account disappears with it', async () => {
  await migrate(db)
  const owned = await db.query<{ table: string, goes: boolean }>(
    `select table_name as table, exists (
       select from pg_constraint where conrelid = table_name::regclass
       and contype = 'f' and confdeltype = 'c' and confrelid = 'account'::regclass
     ) or exists ( -- what is written to too often for a foreign key
       select from pg_trigger join pg_proc on pg_proc.oid = tgfoid where tgrelid = 'account'::regclass
       and prosrc like '%delete from ' || table_name || ' where owner = old.jid%'
     ) or exists ( -- what goes with what goes
       select from pg_constraint join pg_trigger on tgrelid = 'account'::regclass join pg_proc on pg_proc.oid = tgfoid
       where conrelid = table_name::regclass and contype = 'f' and confdeltype = 'c'
       and prosrc like '%delete from ' || confrelid::regclass || ' where owner = old.jid%'
     ) as goes
     from information_schema.columns where table_schema = current_schema() and column_name = 'owner'`)

  expect(owned.length).toBeGreaterThan(0)
  expect(owned.filter(({ goes }) => !goes)).toEqual([])
})

test('the program\'s own migrations run again over a copy of themselves', async () => {
  await migrate(db)
  await rm(folder, { recursive: true })
  await cp(new URL('../../migrations/', import.meta.url), folder, { recursive: true })

  await expect(migrate(db, folder)).resolves.toBeUndefined()
})
