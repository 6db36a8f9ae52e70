/** How far back an archive recognises what comes again. */
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../../test/support/run/database.ts'
import { Archive } from './archive.ts'
import { append, BUSY_MS, EMPTY, loadTails, RECENT_MESSAGES } from './store.ts'

const ROOM = 'coven@conference.localhost'

/** An archive in which one message was followed by so many others. */
function followedBy (others: number, reachMs?: number): Archive {
  const archive = new Archive('juliet@localhost', EMPTY, reachMs)
  archive.next('the one')
  for (let number = 1; number <= others; number++) archive.next(`another ${number}`)
  return archive
}

test.each([0, 1, RECENT_MESSAGES / 2, RECENT_MESSAGES - 1])('a message is recognised behind %d others', others => {
  expect(followedBy(others).find('the one')).toBe(1)
})

test('a message is forgotten when enough have come since', () => {
  expect(followedBy(2 * RECENT_MESSAGES).find('the one')).toBeUndefined()
})

test('in a room a message is recognised for a while, however many others there were', () => {
  expect(followedBy(20 * RECENT_MESSAGES, BUSY_MS).find('the one')).toBe(1)
})

test('a room that comes into memory recognises what was said a while ago, and nothing older behind many others', async () => {
  const db = await testDatabase()
  onTestFinished(() => db.close())
  const now = Date.now()
  const said = Array.from({ length: 8 * RECENT_MESSAGES }, (_, at) => ({
    owner: ROOM,
    seq: at + 1,
    peer: 'hag66@localhost',
    isSent: false,
    fingerprint: `id ${at + 1}`,
    stanza: Buffer.from('<message/>'),
    sentAt: at < 10 ? now - 2 * BUSY_MS : now,
  }))
  await append(db, said, false)

  const tail = (await loadTails(db, [ROOM], () => BUSY_MS)).get(ROOM)

  expect([...tail?.recent ?? []]).toEqual(said.slice(10).map(({ fingerprint, seq }) => [fingerprint, seq]))
})
