/**
 * Database migrations: runs the files of `migrations/` in the order of their numbers, forward only, each once and in
 * its own transaction. Two nodes may start at once.
 */

import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Database } from './database.ts'

const FOLDER = fileURLToPath(new URL('../../migrations/', import.meta.url))
const FILE = /^(\d{4})-[a-z0-9]+(-[a-z0-9]+)*\.sql$/
const LOCK = 0x48656c69 // "Heli"; with the schema's name, so that schemas don't wait for each other

interface Migration {
  readonly file: string
  readonly sql: string
  readonly checksum: string
}

interface Applied {
  readonly file: string
  readonly checksum: string
}

/** Runs the pending migrations; rejects with a sentence that names each file at fault. */
export async function migrate (db: Database, folder: string = FOLDER): Promise<void> {
  const migrations = await readMigrations(folder)
  await db.transaction(async tx => {
    await takeLock(tx)
    await tx.query(`create table if not exists migration (
      file text primary key, checksum text not null, applied_at timestamptz not null default now())`)
  })
  const applied = await readApplied(db)
  checkApplied(migrations, applied)
  for (const migration of migrations) if (!applied.has(migration.file)) await apply(db, migration)
}

async function readMigrations (folder: string): Promise<readonly Migration[]> {
  const files = (await readdir(folder)).filter(file => file.endsWith('.sql')).sort()
  const faults = files.flatMap((file, index) => {
    const number = FILE.exec(file)?.[1]
    return Number(number) === index + 1 ? [] : [`${file} should be named ${String(index + 1).padStart(4, '0')}-….sql`]
  })
  if (faults.length > 0) throw new Error(`migrations: ${faults.join('; ')}`)
  return Promise.all(files.map(async file => {
    const sql = (await readFile(join(folder, file), 'utf8')).replaceAll('\r\n', '\n')
    return { file, sql, checksum: createHash('sha256').update(sql).digest('hex') }
  }))
}

async function readApplied (db: Database): Promise<ReadonlyMap<string, string>> {
  const rows = await db.query<Applied>('select file, checksum from migration')
  return new Map(rows.map(row => [row.file, row.checksum]))
}

function checkApplied (migrations: readonly Migration[], applied: ReadonlyMap<string, string>): void {
  const known = new Map(migrations.map(migration => [migration.file, migration.checksum]))
  const faults = [...applied].flatMap(([file, checksum]) => {
    if (!known.has(file)) return [`${file} is in the database but not in this program, which is older`]
    return known.get(file) === checksum ? [] : [`${file} was changed after it was run: undo that and add a new file`]
  })
  if (faults.length > 0) throw new Error(`migrations: ${faults.sort().join('; ')}`)
}

async function apply (db: Database, { file, sql, checksum }: Migration): Promise<void> {
  try {
    await db.transaction(async tx => {
      await takeLock(tx)
      const done = await tx.query('select 1 from migration where file = $1', [file])
      if (done.length > 0) return // another node was faster
      await tx.query(sql)
      await tx.query('insert into migration (file, checksum) values ($1, $2)', [file, checksum])
    })
  } catch (error) { // PostgreSQL's
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`migrations: ${file}${lineOf(error, sql)}: ${reason}`, { cause: error })
  }
}

async function takeLock (db: Database): Promise<void> {
  await db.query('select pg_advisory_xact_lock($1, hashtext(current_schema()))', [LOCK])
}

function lineOf (error: unknown, sql: string): string {
  const position = error instanceof Error && 'position' in error ? Number(error.position) : NaN
  return position > 0 ? `, line ${sql.slice(0, position).split('\n').length}` : ''
}
