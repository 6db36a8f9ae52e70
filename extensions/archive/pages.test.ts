/** Pages of an archive (XEP-0313 §4, XEP-0059), against a plain array. */
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/support/run/database.ts'
import type { PostgresDatabase } from '../../src/storage/postgres.ts'
import { countMessages, narrowToTimes, readEnds, readPage, readRange } from './pages.ts'
import type { Filter, Page, Range } from './pages.ts'
import { append } from './store.ts'
import type { Entry } from './store.ts'

const OWNER = 'romeo@localhost'
const PEERS = ['juliet@localhost', 'nurse@localhost', 'mercutio@localhost']
const SECOND = 1000
const HOUR = 3600 * SECOND

let db: PostgresDatabase

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())

function entry (seq: number, some: Partial<Entry> & { readonly resource?: string } = {}): Entry {
  const { peer = 'juliet@localhost', isSent = false, resource = 'balcony' } = some
  const [from, to] = isSent ? [`${OWNER}/orchard`, `${peer}/${resource}`] : [`${peer}/${resource}`, `${OWNER}/orchard`]
  const stanza = Buffer.from(
    `<message xmlns='jabber:client' from='${from}' to='${to}' type='chat'><body>message ${seq}</body></message>`,
  )
  return { owner: OWNER, seq, peer, isSent, sentAt: seq * SECOND, fingerprint: undefined, stanza, ...some }
}

async function fill (entries: readonly Entry[]): Promise<void> {
  await db.query('delete from archive_message')
  if (entries.length > 0) await append(db, entries, false)
}

/** What a query does: the range of the archive, cut to the times, and a page of it. */
async function read (filter: Filter, max: number, fromEnd = false, after = 0, before = Infinity): Promise<Page> {
  const range = await readRange(db, OWNER)
  if (!range) return { messages: [], isComplete: true }
  const wanted = { first: Math.max(range.first, after + 1), last: Math.min(range.last, before - 1) }
  return readPage(db, OWNER, await narrowToTimes(db, OWNER, wanted, filter), filter, max, fromEnd)
}

/** Page after page, up to the last one or to so many. */
async function readPages (filter: Filter, max: number, fromEnd: boolean, most: number): Promise<readonly Page[]> {
  const pages: Page[] = []
  for (let after = 0, before = Infinity; pages.length < most && !pages.at(-1)?.isComplete;) {
    const page = await read(filter, max, fromEnd, after, before)
    pages.push(page)
    if (fromEnd) before = page.messages[0]?.seq ?? 0
    else after = page.messages.at(-1)?.seq ?? Infinity
  }
  return pages
}

function seqs ({ messages }: Page): readonly number[] {
  return messages.map(message => message.seq)
}

describe('paging', () => {
  const message = fc.record({
    peer: fc.constantFrom(...PEERS),
    isSent: fc.boolean(),
    resource: fc.constantFrom('balcony', 'chamber'),
    // Mostly later than the one before; a clock that is set back is no reason to lose a message.
    pause: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 0, max: 3 * HOUR }) }, {
      weight: 1,
      arbitrary: fc.integer({ min: -HOUR / 40, max: 0 }),
    }),
  })
  const sometimes = <T>(value: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })
  const query = fc.record({
    peer: sometimes(fc.constantFrom(...PEERS, 'nobody@localhost')),
    resource: sometimes(fc.constantFrom('balcony', 'chamber')),
    start: sometimes(fc.double({ min: 0, max: 0.7, noNaN: true })),
    end: sometimes(fc.double({ min: 0.4, max: 1, noNaN: true })),
    ids: sometimes(fc.array(fc.integer({ min: 1, max: 45 }), { minLength: 1, maxLength: 20 })),
    max: fc.integer({ min: 1, max: 12 }),
    fromEnd: fc.boolean(),
  })

  test('gives, page by page, exactly what passes the filter, in the order of the archive', async () => {
    await fc.assert(fc.asyncProperty(
      fc.array(message, { maxLength: 40, size: '+1' }), fc.nat(5), query,
      async (messages, removed, { peer, resource, start, end, ids, max, fromEnd }) => {
        let sentAt = 1_700_000_000_000
        const all = messages.map(({ pause, ...some }, index) => entry(index + 1, { ...some, sentAt: sentAt += pause }))
        const kept = all.slice(removed)
        await fill(kept)
        const at = (part: number | undefined) => part === undefined || !all[0]
          ? undefined : Math.round(all[0].sentAt + part * (sentAt - all[0].sentAt))
        const filter: Filter = {
          peer, start: at(start), end: at(end), ids,
          resource: peer !== undefined && resource !== undefined ? `${peer}/${resource}` : undefined,
        }
        const model = kept.filter((one, index) => (peer === undefined || one.peer === peer) &&
          (filter.resource === undefined || messages[removed + index]?.resource === resource) &&
          one.sentAt >= (filter.start ?? 0) && one.sentAt <= (filter.end ?? Infinity) &&
          (ids?.includes(one.seq) ?? true)).map(one => one.seq)

        const pages = await readPages(filter, max, fromEnd, model.length + 1)

        expect(pages.every(page => page.isComplete || page.messages.length === max)).toBe(true)
        expect((fromEnd ? pages.toReversed() : pages).flatMap(seqs)).toEqual(model)
        const range = await readRange(db, OWNER)
        if (range)
          expect(await countMessages(db, OWNER, await narrowToTimes(db, OWNER, range, filter), filter)).toBe(
            model.length,
          )
      }), { numRuns: 200 })
  })
})

test('another account\'s messages are never among them', async () => {
  await fill([entry(1), { ...entry(1), owner: 'juliet@localhost' }, entry(2), { ...entry(2), owner: 'romeo@localhos' }])

  expect(await read({}, 10)).toMatchObject({ messages: [{ seq: 1 }, { seq: 2 }], isComplete: true })
})

test('a page is no larger than a client is sent at a time, and holds one message at least', async () => {
  const large = (seq: number) =>
    entry(seq, {
      stanza: Buffer.from(`<message xmlns='jabber:client'><body>${String(seq).repeat(300_000)}</body></message>`),
    })
  await fill([large(1), large(2), large(3)])

  expect(seqs(await read({}, 10))).toEqual([1, 2])
  expect(await read({}, 10)).toMatchObject({ isComplete: false })
  expect(seqs(await read({}, 10, true))).toEqual([2, 3])
  expect(await read({}, 10, false, 2)).toMatchObject({ messages: [{ seq: 3 }], isComplete: true })
})

test('a page of no message is complete where there is none', async () => {
  await fill([entry(1)])

  expect(await read({}, 0)).toEqual({ messages: [], isComplete: false })
  expect(await read({ peer: 'nobody@localhost' }, 0)).toEqual({ messages: [], isComplete: true })
})

test('a message to oneself is with every address that it has', async () => {
  const stanza =
    `<message xmlns='jabber:client' from='${OWNER}/orchard' to='${OWNER}/phone'><body>buy poison</body></message>`
  await fill([entry(1), entry(2, { peer: OWNER, isSent: true, stanza: Buffer.from(stanza) })])

  expect(seqs(await read({ peer: OWNER }, 10))).toEqual([2])
  expect(seqs(await read({ peer: OWNER, resource: `${OWNER}/orchard` }, 10))).toEqual([2])
  expect(seqs(await read({ peer: OWNER, resource: `${OWNER}/phone` }, 10))).toEqual([2])
  expect(seqs(await read({ peer: OWNER, resource: `${OWNER}/laptop` }, 10))).toEqual([])
})

test('what was sent before a clock was set back is found by its time', async () => {
  const minute = 60 * SECOND
  await fill([
    entry(1, { sentAt: 120 * minute }),
    entry(2, { sentAt: 90 * minute }),
    entry(3, { sentAt: 91 * minute }),
    entry(4, { sentAt: 130 * minute }),
  ])

  expect(seqs(await read({ start: 110 * minute }, 10))).toEqual([1, 4])
  expect(seqs(await read({ end: 100 * minute }, 10))).toEqual([2, 3])
})

test('what was emptied is not there any more', async () => {
  await fill([entry(1, { stanza: Buffer.from('') }), entry(2, { stanza: Buffer.from('') }), entry(3), entry(4)])

  expect(await readRange(db, OWNER)).toEqual({ first: 3, last: 4 } satisfies Range)
  expect(await readEnds(db, OWNER)).toMatchObject({ first: { seq: 3, sentAt: 3000 }, last: { seq: 4, sentAt: 4000 } })
})

test('an archive of one message begins and ends with it, an empty one does neither', async () => {
  await fill([entry(7)])

  expect(await readEnds(db, OWNER)).toMatchObject({ first: { seq: 7 }, last: { seq: 7 } })
  expect(await readEnds(db, 'nobody@localhost')).toBeUndefined()
})
