/** A database for a test file: a schema of its own, with all migrations, in the one PostgreSQL of the test run. */

import { randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { inject } from 'vitest'
import { migrate } from '../../../src/storage/migrate.ts'
import { openPostgres, type PostgresDatabase } from '../../../src/storage/postgres.ts'

const POOL_SIZE = 4

/** A migrated database that no other test file sees; close it when the file's tests are done. */
export async function testDatabase (): Promise<PostgresDatabase> {
  const db = await openPostgres(await testSchema(), { poolSize: POOL_SIZE, log: pino({ level: 'silent' }) })
  await migrate(db)
  return db
}

/** An empty database in the PostgreSQL of this address, which is one of a socket. */
export async function createDatabase (
  postgresUrl: string,
): Promise<{ readonly name: string, readonly url: string, drop (): Promise<void> }> {
  const name = `heliograph_${randomBytes(8).toString('hex')}`
  const administer = async (statement: string): Promise<void> => {
    const db = await openPostgres(postgresUrl, { poolSize: 1, log: pino({ level: 'silent' }) })
    try {
      await db.query(statement)
    } finally {
      await db.close()
    }
  }
  await administer(`create database ${name}`)
  const url = new URL(postgresUrl)
  url.pathname = `/${name}`
  return { name, url: url.href, drop: () => administer(`drop database ${name} with (force)`) }
}

/** The address of an empty schema. */
export async function testSchema (): Promise<string> {
  const url = inject('postgresUrl')
  const schema = `test_${randomBytes(8).toString('hex')}`
  const db = await openPostgres(url, { poolSize: 1, log: pino({ level: 'silent' }) })
  await db.query(`create schema ${schema}`)
  await db.close()
  return `${url}&options=${encodeURIComponent(`-c search_path=${schema}`)}`
}
