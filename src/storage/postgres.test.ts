import { pino } from 'pino'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest'
import { testSchema } from '../../test/support/run/database.ts'
import { openPostgres, type PostgresDatabase } from './postgres.ts'

const OPTIONS = { poolSize: 2, log: pino({ level: 'silent' }) }

let db: PostgresDatabase

beforeEach(async () => {
  db = await openPostgres(await testSchema(), OPTIONS)
  await db.query('create table note (id int primary key, body text)')
})

afterEach(() => db.close())

async function notes (): Promise<readonly number[]> {
  return (await db.query<{ id: number }>('select id from note order by id')).map(row => row.id)
}

test('bytes, big numbers and lists come back as what they are', async () => {
  const [row] = await db.query('select $1::bytea as bytes, $2::bigint as safe, $3::bigint as huge, $4::text[] as list',
    [Buffer.from([0, 255]), 2 ** 53 - 1, 2n ** 62n, ['a "b"', 'ü,']])

  expect(row).toEqual({ bytes: Buffer.from([0, 255]), safe: 2 ** 53 - 1, huge: 2n ** 62n, list: ['a "b"', 'ü,'] })
})

test('a statement with values is prepared once per connection', async () => {
  await db.transaction(async tx => {
    const text = 'select $1::int as n, count(*) as prepared from pg_prepared_statements where statement like $2'
    await tx.query(text, [1, 'select $1::int as n%'])

    const rows = await tx.query(text, [2, 'select $1::int as n%'])

    expect(rows).toEqual([{ n: 2, prepared: 1 }])
  })
})

test('a transaction commits what its work did', async () => {
  const result = await db.transaction(async tx => {
    await tx.query('insert into note values (1)')
    return 'done'
  })

  expect(result).toBe('done')
  expect(await notes()).toEqual([1])
})

test('what the work throws rolls back, and is thrown on', async () => {
  await expect(db.transaction(async tx => {
    await tx.query('insert into note values (1)')
    throw new Error('changed my mind')
  })).rejects.toThrow('changed my mind')

  expect(await notes()).toEqual([])
})

test('a commit that the server turned into a rollback is an error', async () => {
  await expect(db.transaction(async tx => {
    await tx.query('insert into note values (1)')
    await tx.query('insert into note values (1)').catch(() => {}) // the mistake that is tested
  })).rejects.toThrow('rolled back')

  expect(await notes()).toEqual([])
})

test('a transaction within a transaction is undone alone', async () => {
  await db.transaction(async tx => {
    await tx.query('insert into note values (1)')
    await tx.transaction(async inner => {
      await inner.query('insert into note values (2)')
      await inner.query('insert into note values (1)')
    }).catch(() => {}) // the duplicate
    await tx.transaction(inner => inner.query('insert into note values (3)'))
  })

  expect(await notes()).toEqual([1, 3])
})

test('an error of a statement leaves its connection in use', async () => {
  const pid = 'select pg_backend_pid() as pid'
  const before = await db.query(pid)

  await expect(db.query('select nonsense')).rejects.toMatchObject({ code: '42703' })

  expect(await db.query(pid)).toEqual(before)
})

test('a connection that is cut between two statements of a transaction fails that transaction only', async () => {
  const work = db.transaction(async tx => {
    const [row] = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
    await tx.query('insert into note values (1)')
    await db.query('select pg_terminate_backend($1, 5000)', [row?.pid])
    await new Promise(setImmediate)
    await tx.query('insert into note values (2)')
  })

  await expect(work).rejects.toThrow()
  expect(await notes()).toEqual([])
})

test('more queries than connections all get their answer, also when the database is being closed', async () => {
  const answers = Array.from({ length: 50 }, (_, n) => db.query('select $1::int as n, pg_sleep(0.001)::text', [n]))
  const closed = db.close()

  await expect(Promise.all(answers)).resolves.toHaveLength(50)
  await closed
  await expect(db.query('select 1')).rejects.toThrow('closed')
})

test('a database that is closed has no connection left at the server', async () => {
  const text = 'select pg_backend_pid() as pid, pg_sleep(0.01)::text'
  const used = await Promise.all([db.query<{ pid: number }>(text), db.query<{ pid: number }>(text)])
  const other = await openPostgres(inject('postgresUrl'), OPTIONS)

  await db.close()

  const pids = used.flat().map(row => row.pid)
  expect(await other.query('select pid from pg_stat_activity where pid = any($1)', [pids])).toEqual([])
  await other.close()
})

test('a server that refuses us is an error at once', async () => {
  const url = inject('postgresUrl').replace('/postgres?', '/no_such_database?')

  await expect(openPostgres(url, OPTIONS)).rejects.toMatchObject({ code: '3D000' })
})

test('a database that can\'t hold all of Unicode is refused', async () => {
  await db.query(`create database latin encoding 'LATIN1' locale 'C' template template0`)
  const url = inject('postgresUrl').replace('/postgres?', '/latin?')

  await expect(openPostgres(url, OPTIONS)).rejects.toThrow('encoding is LATIN1')
})

const FOREIGN = {
  PGHOST: '192.0.2.1',
  PGPORT: '15888',
  PGUSER: 'nobody',
  PGPASSWORD: 'wrong',
  PGDATABASE: 'nothing',
  PGSSLMODE: 'require',
  PGOPTIONS: '-c default_transaction_read_only=on', PGAPPNAME: 'psql', PGCLIENTENCODING: 'LATIN1',
  PGSERVICE: 'other', PGSSLNEGOTIATION: 'direct', PGREPLICATION: 'database',
}

test('the environment says nothing about a connection: the URL says all', async () => {
  const url = await testSchema()
  for (const [name, value] of Object.entries(FOREIGN)) vi.stubEnv(name, value)
  const own = await openPostgres(url, OPTIONS)

  await own.query('create table written (id int)')
  const [row] = await own.query("select current_setting('application_name') as name")

  expect(row).toEqual({ name: 'heliograph' })
  await own.close()
  vi.unstubAllEnvs()
})

test('a password comes from the URL, and from no file', async () => {
  const home = mkdtempSync(join(tmpdir(), 'home-'))
  writeFileSync(join(home, '.pgpass'), '*:*:*:*:of-another\n', { mode: 0o600 })
  vi.stubEnv('HOME', home)
  const asking = createServer(socket => { void askForPassword(socket) }).listen(0, '127.0.0.1')
  await once(asking, 'listening')
  const { port } = asking.address() as AddressInfo

  await expect(openPostgres(`postgres://own@127.0.0.1:${port}/own`, OPTIONS)).rejects.toThrow('the password was ""')
  await expect(openPostgres(`postgres://own:mine@127.0.0.1:${port}/own`, OPTIONS)).rejects.toThrow(
    'the password was "mine"',
  )

  asking.close()
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

/** A PostgreSQL that wants a password in the clear, and repeats it when it refuses it. */
async function askForPassword (socket: Socket): Promise<void> {
  await once(socket, 'data')
  socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3])) // AuthenticationCleartextPassword
  const [message] = await once(socket, 'data') as [Buffer]
  const fields = `SFATAL\0C28P01\0Mthe password was "${message.toString('latin1', 5, message.length - 1)}"\0\0`
  const refusal = Buffer.alloc(5 + fields.length)
  refusal.write('E')
  refusal.writeInt32BE(4 + fields.length, 1)
  refusal.write(fields, 5)
  socket.end(refusal)
}
