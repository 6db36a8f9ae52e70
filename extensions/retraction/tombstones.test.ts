/** What it may cost to look for the corrections of a retracted message. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Database } from '../../src/extension/api.ts'
import type { PostgresDatabase } from '../../src/storage/postgres.ts'
import { testDatabase } from '../../test/support/run/database.ts'
import { archiveService } from '../archive/service.ts'
import { carryOut } from './tombstones.ts'

const OWNER = 'romeo@localhost'
const PEER = 'juliet@localhost'
const CORRECTIONS = 60

let postgres: PostgresDatabase

beforeAll(async () => { postgres = await testDatabase() })
afterAll(() => postgres.close())
beforeEach(() => { vi.useFakeTimers({ toFake: ['performance'] }) })
afterEach(() => { vi.useRealTimers() })

/** A database that takes so many milliseconds for each transaction, nested ones too. */
function slow (db: Database, ms: number): Database {
  return {
    query: (text, values) => db.query(text, values),
    transaction: work => {
      vi.advanceTimersByTime(ms)
      return db.transaction(tx => work(slow(tx, ms)))
    },
  }
}

async function keep (seq: number, stanza: string): Promise<void> {
  await postgres.query(
    `insert into archive_message (owner, seq, peer, is_sent, sent_at, stanza) values ($1, $2, $3, true, 0, $4)`,
    [OWNER, seq, PEER, stanza])
}

test('of a message with very many corrections the newest are replaced, and nobody waits long for that', async () => {
  const [first, retraction] = [1, CORRECTIONS + 2]
  await keep(first, "<message type='chat' id='one'><body>1</body></message>")
  for (let seq = first + 1; seq < retraction; seq++) {
    await keep(
      seq,
      `<message type='chat' id='c${seq}'><body>${seq}</body><replace id='one' xmlns='urn:xmpp:message-correct:0'/></message>`,
    )
  }
  await keep(
    retraction,
    "<message type='chat' id='no'><retract id='one' xmlns='urn:xmpp:message-retract:1'/></message>",
  )
  await postgres.query('insert into retraction_waiting (owner, seq) values ($1, $2)', [OWNER, retraction])

  const { seqs } = await carryOut(
    archiveService(postgres, () => 0),
    slow(postgres, 500),
    { owner: OWNER, seq: retraction },
    () => Promise.resolve(undefined),
  )

  expect(seqs.slice(0, 3)).toEqual([first, retraction - 1, retraction - 2])
  expect(seqs.length).toBeLessThan(CORRECTIONS)
})
