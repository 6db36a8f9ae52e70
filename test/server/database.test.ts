/** `database: postgres://…`: one that the administrator runs, and that several servers may use. */
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { Client } from '../../conformance/runner/client.ts'
import { Installation } from './installation.ts'

const MIGRATIONS = join(import.meta.dirname, '..', '..', 'migrations')
const SECRET = `secret-${randomBytes(8).toString('hex')}`

/** A new database in the PostgreSQL of the test run. */
const name = `heliograph_${randomBytes(8).toString('hex')}`

beforeAll(() => administer(`create database ${name}`))
afterAll(() => administer(`drop database ${name} with (force)`))

async function administer (statement: string, database = 'postgres'): Promise<readonly unknown[]> {
  const client = new pg.Client(addressOf(database))
  await client.connect()
  try {
    return (await client.query<{ readonly file: unknown }>(statement)).rows.map(({ file }) => file)
  } finally {
    await client.end()
  }
}

/** With a password, which this PostgreSQL does not ask for. */
function addressOf (database: string): string {
  const url = new URL(inject('postgresUrl'))
  url.pathname = `/${database}`
  url.password = SECRET
  return url.toString()
}

test('two servers that start at once on an empty one both come up, and share its accounts', async () => {
  const one = await Installation.forTest({ database: addressOf(name) })
  const other = await Installation.forTest({ database: addressOf(name) })

  const servers = await Promise.all([one.start(), other.start()])

  expect(await administer('select file from migration order by file', name)).toEqual(readdirSync(MIGRATIONS).sort())
  await one.run('user add romeo@localhost --password wherefore')
  for (const { port } of [one, other]) {
    const login = { jid: 'romeo@localhost', password: 'wherefore', resource: 'here' }
    const client = await Client.connect({ port, tls: true }, login)
    await client.disconnect()
  }
  expect([...one.databaseProcesses(), ...other.databaseProcesses()]).toEqual([])
  const status = await one.run('status')
  expect(status.out).toMatch(new RegExp(`^database +postgres://.*/${name}`, 'm'))
  for (const server of servers) {
    server.kill('SIGTERM')
    expect(await server.ended()).toBe(0)
    expect(server.printed).not.toMatch(/"level":"(error|fatal)"/)
  }
  for (const text of [status.out, ...servers.map(({ printed }) => printed)]) expect(text).not.toContain(SECRET)
}, 60_000)

test('one that is not there is said in a sentence, without its password', async () => {
  const home = await Installation.forTest({ database: addressOf('nowhere') })

  const { code, out, err } = await home.run('serve')

  expect(code).toBe(1)
  expect(out).toContain('"msg":"database: database \\"nowhere\\" does not exist"')
  expect(out + err).not.toContain(SECRET)
}, 60_000)

test('the embedded one is reached whatever an administrator has set for his own', async () => {
  const home = await Installation.forTest()
  const env = {
    PGHOST: '127.0.0.1',
    PGPORT: '15888',
    PGUSER: 'somebody',
    PGPASSWORD: 'else',
    PGDATABASE: 'other',
    PGSSLMODE: 'require',
    PGSERVICE: 'other',
    PGSERVICEFILE: '/nowhere',
    PGPASSFILE: '/nowhere',
    PGDATA: '/nowhere',
    PGOPTIONS: '-c default_transaction_read_only=on',
  }

  const added = await home.run('user add romeo@localhost --password wherefore', { env })
  await home.start(env)
  const client = await Client.connect({ port: home.port, tls: true }, {
    jid: 'romeo@localhost',
    password: 'wherefore',
    resource: 'here',
  })

  expect(added.code).toBe(0)
  await client.disconnect()
}, 60_000)
