/** What migration 0008 does to an archive that is there. */
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrate } from '../../src/storage/migrate.ts'
import { openPostgres } from '../../src/storage/postgres.ts'
import type { PostgresDatabase } from '../../src/storage/postgres.ts'
import { testSchema } from '../../test/support/run/database.ts'
import { readPage } from './pages.ts'

const MIGRATIONS = join(import.meta.dirname, '../../migrations')
const PEERS = ['juliet@localhost', 'nurse@localhost', 'tybalt@localhost']
const MESSAGES = 600

let db: PostgresDatabase
let before: string

beforeEach(async () => {
  db = await openPostgres(await testSchema(), { poolSize: 2, log: pino({ level: 'silent' }) })
  before = await mkdtemp(join(tmpdir(), 'heliograph-migrations-'))
  for (const file of await readdir(MIGRATIONS)) if (file < '0008') await cp(join(MIGRATIONS, file), join(before, file))
  await migrate(db, before)
})

afterEach(async () => {
  await db.close()
  await rm(before, { recursive: true })
})

test('what was kept before is found by its peer, through the new index', async () => {
  await db.query(`
    insert into archive_message (owner, seq, peer, is_sent, sent_at, stanza)
    select owner, seq, ($1::text[])[1 + seq % 3], false, seq, '<message/>'
    from unnest(array['romeo@localhost', 'mercutio@localhost']) as owner, generate_series(1, ${MESSAGES}) as seq`,
  [PEERS],
  )

  await migrate(db)
  await db.query('analyze archive_message')

  for (const [at, peer] of PEERS.entries()) {
    const { messages } = await readPage(db, 'romeo@localhost', { first: 1, last: MESSAGES }, { peer }, MESSAGES, false)
    expect(messages.map(({ seq }) => seq)).toEqual(
      Array.from({ length: MESSAGES }, (_, i) => i + 1).filter(seq => seq % 3 === at))
  }
  const plan = await db.query(`
    explain select seq from archive_message
    where archive_conversation(owner, peer) = archive_conversation('romeo@localhost', 'nurse@localhost') order by seq limit 10`)
  expect(JSON.stringify(plan)).toContain('archive_message_conversation')
})
