/** What becomes of messages when the database is away, slow, or answers nobody. */
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../../test/support/run/database.ts'
import type { Database, Stored } from '../../src/extension/api.ts'
import type { PostgresDatabase } from '../../src/storage/postgres.ts'
import { Archive } from './archive.ts'
import { Recovery } from './recovery.ts'
import { EMPTY, loadTails } from './store.ts'
import { Writer } from './writer.ts'

const ROMEO = 'romeo@localhost'
const JULIET = 'juliet@localhost'
const FULL = { condition: 'resource-constraint', type: 'wait' }
const WAIT = { condition: 'internal-server-error', type: 'wait' }

let postgres: PostgresDatabase
let line: Line
let writer: Writer
let recovery: Recovery
let handedOver: string[]
/** What is in that archive can't be handed over. */
let broken: string | undefined
let warnings: string[]

beforeAll(async () => { postgres = await testDatabase() })
afterAll(() => postgres.close())
beforeEach(async () => {
  await postgres.query('delete from archive_message')
  start(60_000)
})
afterEach(async () => {
  line.state = 'up'
  line.release()
  recovery.stop()
})

/** The line to the database, which may break before something gets there, or before the answer comes back. */
class Line implements Database {
  state: 'up' | 'down' | 'answers are lost' | 'writes hang' = 'up'
  attempts = 0
  /** What hangs goes on, each on its way to the database. */
  release: () => void = () => {}
  #released = Promise.resolve()

  query<Row> (text: string, values?: readonly unknown[]): Promise<readonly Row[]> {
    return this.#through(text, db => db.query<Row>(text, values))
  }

  transaction<T> (work: (db: Database) => Promise<T>): Promise<T> {
    return this.#through('insert', db => db.transaction(work))
  }

  hang (): void {
    this.state = 'writes hang'
    this.#released = new Promise(resolve => { this.release = resolve })
  }

  async #through<T> (text: string, ask: (db: Database) => Promise<T>): Promise<T> {
    this.attempts++
    if (this.state === 'down') throw new Error('connect ECONNREFUSED')
    if (this.state === 'writes hang' && text.includes('insert')) await this.#released
    const answer = await ask(postgres)
    if (this.state === 'answers are lost') throw new Error('read ECONNRESET')
    return answer
  }
}

function start (patienceMs: number, most?: number, each?: number): void {
  const log = pino({ level: 'warn' }, { write (line: string) { warnings.push(line) } })
  line = new Line()
  handedOver = []
  broken = undefined
  warnings = []
  writer = new Writer(
    {
      db: line,
      log,
      patienceMs,
      certain: () => undefined,
      lost: archive => {
        recovery.add(archive)
      },
    },
    most,
    each,
  )
  recovery = new Recovery({
    db: line, log,
    isOurs: async archive => archive.state !== 'left',
    found: async ({ owner }, entries) => {
      if (owner === broken) throw new Error('a stanza that nobody can read')
      for (const { seq, stanza } of entries) handedOver.push(`${owner} ${seq} ${stanza}`)
    },
    reopen: (archive, tail, found) => { writer.reopen(archive, tail, found) },
  })
}

/** Keeps a message; one with an id can be told when it comes again. */
function keep (archive: Archive, stanza: string, id?: string, peer = JULIET): Stored {
  return writer.keep(archive, { peer, isSent: false, sentAt: Date.now(), fingerprint: id, stanza: Buffer.from(stanza) })
}

async function kept (owner = ROMEO): Promise<readonly string[]> {
  const rows = await postgres.query<{ seq: number, stanza: string }>(
    'select seq, stanza from archive_message where owner = $1 order by seq', [owner])
  return rows.map(({ seq, stanza }) => `${seq} ${stanza}`)
}

async function open (archive: Archive): Promise<void> {
  await expect.poll(() => archive.state).toBe('open')
}

test('numbers are given at once, without gaps, and are there when the commit says so', async () => {
  const archive = new Archive(ROMEO, EMPTY)

  const stored = ['one', 'two', 'three'].map(stanza => keep(archive, stanza))
  await stored[2]?.committed

  expect(stored.map(({ number }) => number)).toEqual(['1', '2', '3'])
  expect(await kept()).toEqual(['1 one', '2 two', '3 three'])
})

test('what waits for a database that comes back is kept then, in order', async () => {
  const archive = new Archive(ROMEO, EMPTY)
  line.state = 'down'
  const first = keep(archive, 'one')
  let isCommitted = false
  void first.committed.then(() => { isCommitted = true })
  await expect.poll(() => line.attempts).toBeGreaterThan(1)
  const second = keep(archive, 'two')

  expect(isCommitted).toBe(false)
  line.state = 'up'
  await Promise.all([first.committed, second.committed])

  expect(await kept()).toEqual(['1 one', '2 two'])
})

test('what was written although the answer was lost is not written again', async () => {
  const archive = new Archive(ROMEO, EMPTY)
  line.state = 'answers are lost'
  const first = keep(archive, 'one')
  await expect.poll(() => line.attempts).toBeGreaterThan(0)
  await expect.poll(() => kept()).toEqual(['1 one'])

  line.state = 'up'
  await first.committed
  await keep(archive, 'two').committed

  expect(await kept()).toEqual(['1 one', '2 two'])
  expect(handedOver).toEqual([])
})

test('after a while without a database senders are told to wait, and its number is the next one\'s', async () => {
  start(400)
  const archive = new Archive(ROMEO, EMPTY)
  await keep(archive, 'one').committed
  line.state = 'down'

  const refused = [keep(archive, 'two', 'id two'), keep(archive, 'three')]
  for (const { committed } of refused) await expect(committed).rejects.toMatchObject(WAIT)
  expect(() => keep(archive, 'two', 'id two'), 'not even what seems to come again').toThrow(
    expect.objectContaining(WAIT),
  )
  line.state = 'up'
  await open(archive)
  const again = keep(archive, 'two', 'id two')
  await again.committed

  expect(again).toMatchObject({ number: '2' })
  expect(again.isRepeat).toBeUndefined()
  expect(archive.doubtful, 'their numbers are taken').toEqual([])
  expect(await kept()).toEqual(['1 one', '2 two'])
  expect(handedOver).toEqual([])
})

test('what turns out to be written although it was refused is handed over, once, and known when it comes again', async () => {
  start(400)
  const archive = new Archive(ROMEO, EMPTY)
  line.state = 'answers are lost'
  const refused = [keep(archive, 'one', 'id one'), keep(archive, 'two')]
  for (const { committed } of refused) await expect(committed).rejects.toMatchObject(WAIT)

  line.state = 'up'
  await open(archive)
  const again = keep(archive, 'one', 'id one')
  const third = keep(archive, 'three')
  await Promise.all([again.committed, third.committed])

  expect(handedOver).toEqual([`${ROMEO} 1 one`, `${ROMEO} 2 two`])
  expect(again).toMatchObject({ number: '1', isRepeat: true })
  expect(await kept()).toEqual(['1 one', '2 two', '3 three'])
})

test('an archive that can\'t be gone on with keeps no other waiting, and is reported once', async () => {
  start(300)
  broken = ROMEO
  const [romeo, juliet] = [new Archive(ROMEO, EMPTY), new Archive(JULIET, EMPTY)]
  line.state = 'answers are lost'
  await Promise.allSettled([keep(romeo, 'one').committed, keep(juliet, 'one').committed])

  line.state = 'up'
  await open(juliet)
  const before = line.attempts
  await expect.poll(() => line.attempts).toBeGreaterThan(before + 6)

  expect(romeo.state).toBe('lost')
  expect(handedOver).toEqual([`${JULIET} 1 one`])
  expect(warnings.filter(text => text.includes(ROMEO))).toHaveLength(1)
  broken = undefined
  await open(romeo)
  expect(handedOver).toEqual([`${JULIET} 1 one`, `${ROMEO} 1 one`])
})

test('a database that does not answer is one that is away; what it writes much later is not lost', async () => {
  start(400)
  const archive = new Archive(ROMEO, EMPTY)
  line.hang()
  await expect(keep(archive, 'one').committed).rejects.toMatchObject(WAIT)
  await open(archive)
  line.state = 'up'
  line.release()
  await expect.poll(() => kept()).toEqual(['1 one'])

  await expect(keep(archive, 'two').committed).rejects.toMatchObject(WAIT)
  await open(archive)
  await keep(archive, 'two').committed

  expect(handedOver).toEqual([`${ROMEO} 1 one`])
  expect(await kept()).toEqual(['1 one', '2 two'])
})

test('what comes again after that, bytes and all, is kept as what it is', async () => {
  start(400)
  const archive = new Archive(ROMEO, EMPTY)
  line.hang()
  await expect(keep(archive, 'one', 'id one').committed).rejects.toMatchObject(WAIT)
  await open(archive)
  line.state = 'up'
  line.release()
  await expect.poll(() => kept()).toEqual(['1 one'])

  await keep(archive, 'one', 'id one').committed

  expect(await kept()).toEqual(['1 one'])
  expect(handedOver).toEqual([])
})

test('where somebody else numbers the same archive nothing of the group is kept, and numbers go on after theirs', async () => {
  const [romeo, juliet] = [new Archive(ROMEO, EMPTY), new Archive(JULIET, EMPTY)]
  await keep(new Archive(ROMEO, EMPTY), 'another\'s').committed

  const refused = [keep(romeo, 'one'), keep(juliet, 'two')]
  for (const { committed } of refused) await expect(committed).rejects.toMatchObject(WAIT)
  expect(await kept(JULIET)).toEqual([])
  await open(romeo)
  await open(juliet)
  await Promise.all([keep(romeo, 'one').committed, keep(juliet, 'two').committed])

  expect(await kept()).toEqual(['1 another\'s', '2 one'])
  expect(await kept(JULIET)).toEqual(['1 two'])
  expect(handedOver).toEqual([])
})

test('what the database will never take is refused without waiting, and takes no number', async () => {
  const archive = new Archive(ROMEO, EMPTY)

  await expect(keep(archive, 'no text: \0').committed).rejects.toMatchObject(WAIT)
  await open(archive)
  await keep(archive, 'one').committed

  expect(await kept()).toEqual(['1 one'])
})

test('no more waits than fits', async () => {
  start(60_000, 10, 10)
  const archive = new Archive(ROMEO, EMPTY)
  line.state = 'down'

  const waiting = keep(archive, 'twelve bytes')
  expect(() => keep(archive, 'more')).toThrow(expect.objectContaining(FULL))
  line.state = 'up'
  await waiting.committed
  await keep(archive, 'more').committed

  expect(await kept()).toEqual(['1 twelve bytes', '2 more'])
})

test('who has filled his share of what may wait takes nothing from what others say, not even to the same account', async () => {
  start(60_000, 1000, 10)
  const archive = new Archive(ROMEO, EMPTY)
  line.state = 'down'

  keep(archive, 'twelve bytes', undefined, 'mallory@localhost')
  expect(() => keep(archive, 'more', undefined, 'mallory@localhost')).toThrow(expect.objectContaining(FULL))
  const { committed } = keep(archive, 'from juliet')
  line.state = 'up'
  await committed
  await keep(archive, 'more', undefined, 'mallory@localhost').committed

  expect(await kept()).toEqual(['1 twelve bytes', '2 from juliet', '3 more'])
})

test('an archive of which memory knows more than the database is found again', async () => {
  const archive = new Archive(ROMEO, EMPTY)
  line.state = 'down'
  const { committed } = keep(archive, 'one')

  expect(writer.active(ROMEO)).toBe(archive)
  line.state = 'up'
  await committed

  expect(writer.active(ROMEO)).toBeUndefined()
})

test('a closed archive keeps nothing more, and what was on its way is written when it is', async () => {
  const archive = new Archive(ROMEO, EMPTY)
  line.state = 'down'
  keep(archive, 'one')

  const closed = writer.close(archive)
  line.state = 'up'
  await closed

  expect(await kept()).toEqual(['1 one'])
  expect(() => keep(archive, 'two')).toThrow(expect.objectContaining({ condition: 'service-unavailable' }))
})

test('an archive that another node numbers begins anew when it comes back, also while its last write is under way', async () => {
  const archive = new Archive(ROMEO, EMPTY)
  line.hang()
  const { committed } = keep(archive, 'one')
  await expect.poll(() => line.attempts).toBe(1)

  writer.leave(archive)
  const active = writer.active(ROMEO)
  const again = new Archive(ROMEO, { ...EMPTY, last: 1 })
  const mine = keep(again, 'mine')
  line.release()
  await committed

  expect(active).toBeUndefined()
  expect(() => keep(archive, 'two')).toThrow(expect.objectContaining(WAIT))
  expect(writer.active(ROMEO)).toBe(again)
  await mine.committed
  expect(await kept()).toEqual(['1 one', '2 mine'])
})

test('an archive ends where it ended before a restart, and knows what came within a day', async () => {
  const archive = new Archive(ROMEO, EMPTY)
  await Promise.all([
    keep(archive, 'one', 'id one').committed,
    keep(archive, 'two').committed,
    keep(archive, 'three', 'id three').committed,
  ])
  await postgres.query('update archive_message set sent_at = sent_at - 90000000 where seq = 1')

  const tails = await loadTails(postgres, [ROMEO, JULIET])

  expect([...tails]).toEqual([[ROMEO, { last: 3, recent: new Map([['id three', 3]]) }]])
})
