/** XEP-0313 §4 and §5: the answers to queries: the messages of a page, and the page's description. */
import { el, form, forwarded, messageWith, StanzaError } from '../../src/extension/api.ts'
import type { ArchiveIds, Database, Element, Jid, Keeper, Message } from '../../src/extension/api.ts'
import { countMessages, narrowToTimes, readEnds, readPage, readRange } from './pages.ts'
import type { Kept, Page, Range } from './pages.ts'
import { FULL_TEXT, NS, NS_RSM } from './request.ts'
import type { Query } from './request.ts'

/** The optional fields of a query. */
export function fieldsOf (maySearch: boolean): readonly string[] {
  return maySearch ? [FULL_TEXT] : []
}

/** The result of a query: messages in the order in which they are sent, and the final element. */
export interface Answer { readonly messages: readonly Kept[], readonly fin: Element }

/** Reads the results of a query, one statement after the other. */
export async function answer (db: Database, { jid, archiveIds }: Keeper, query: Query): Promise<Answer> {
  const owner = jid.toString()
  const { filter, page: { max, fromEnd } } = query
  const ranges = chooseRanges(await readRange(db, owner), query)
  if (!ranges) return { messages: [], fin: describePage({ messages: [], isComplete: true }, 0, archiveIds) }
  const whole = await narrowToTimes(db, owner, ranges.whole, filter)
  const page = await readPage(db, owner, common(whole, ranges.page), filter, max, fromEnd)
  const count = await countMessages(db, owner, whole, filter)
  return {
    messages: query.isFlipped ? page.messages.toReversed() : page.messages,
    fin: describePage(page, count, archiveIds),
  }
}

/**
 * The range that a query searches, and its page; item-not-found for an id that is not in the archive (§4.1.3, §4.3.2).
 */
function chooseRanges (
  range: Range | undefined, { filter: { ids = [] }, afterId, beforeId, page }: Query,
): { readonly whole: Range, readonly page: Range } | undefined {
  for (const id of [afterId, beforeId, page.after, page.before, ...ids]) {
    if (id === undefined || (range && id >= range.first && id <= range.last)) continue
    throw new StanzaError('item-not-found', 'the archive has no message with this id')
  }
  if (!range) return
  const whole = between(range, afterId, beforeId)
  return { whole, page: between(whole, page.after, page.before) }
}

function between ({ first, last }: Range, after = -Infinity, before = Infinity): Range {
  return { first: Math.max(first, after + 1), last: Math.min(last, before - 1) }
}

/** What is in both. */
function common (one: Range, other: Range): Range {
  return { first: Math.max(one.first, other.first), last: Math.min(one.last, other.last) }
}

/** A result message of a query, from an archive to who asked. */
export function resultOf (
  { seq, sentAt, stanza }: Kept,
  queryid: string | undefined,
  { jid: from, archiveIds }: Keeper,
  to: Jid,
): Message {
  const result = el('result', NS, { queryid, id: archiveIds.encode(seq) })
  return messageWith('normal', { from, to }, forwarded(result, Buffer.from(stanza), sentAt))
}

/** §5: the oldest and the newest message of an archive. */
export async function describeEnds (db: Database, { jid, archiveIds }: Keeper): Promise<Element> {
  const ends = await readEnds(db, jid.toString())
  return el(
    'metadata',
    NS,
    {},
    ends && describe('start', ends.first, archiveIds),
    ends && describe('end', ends.last, archiveIds),
  )
}

interface DescribedPage extends Pick<Page, 'isComplete'> { readonly messages: readonly Pick<Kept, 'seq'>[] }

// §4.3.2, and XEP-0059 §2.2: first and last in the archive's order, even if the page was sent flipped.
export function describePage (
  { messages, isComplete }: DescribedPage, count: number | undefined, ids: ArchiveIds,
): Element {
  const id = (name: string, message: Pick<Kept, 'seq'> | undefined): Element | undefined =>
    message && el(name, undefined, {}, ids.encode(message.seq))
  return el('fin', NS, { complete: isComplete ? 'true' : undefined },
    el('set', NS_RSM, {},
      id('first', messages[0]), id('last', messages.at(-1)),
      count === undefined ? undefined : el('count', undefined, {}, String(count))))
}

function describe (name: string, { seq, sentAt }: Kept, ids: ArchiveIds): Element {
  return el(name, undefined, { id: ids.encode(seq), timestamp: new Date(sentAt).toISOString() })
}

/** §4.1.5: what a query may hold. */
export function describeForm (extraFields: readonly string[]): Element {
  const text = (name: string) => ({ name, values: [], type: 'text-single' } as const)
  return el('query', NS, {}, form('form', NS, [
    { name: 'with', values: [], type: 'jid-single' },
    text('start'), text('end'), text('before-id'), text('after-id'),
    { name: 'ids', values: [], type: 'list-multi', isOpen: true },
    { name: 'include-groupchat', values: [], type: 'boolean' },
    ...extraFields.map(text),
  ]))
}
