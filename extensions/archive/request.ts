/** Parses a query (XEP-0313 §4): the form with its filters, the page (XEP-0059), and the order. */
import { escapeAttribute, formValues, parseAddress, StanzaError } from '../../src/extension/api.ts'
import type { ArchiveIds, Element, Jid } from '../../src/extension/api.ts'
import { peerKey } from './draft.ts'
import type { Filter } from './pages.ts'

export const NS = 'urn:xmpp:mam:2'
export const NS_RSM = 'http://jabber.org/protocol/rsm'
export const FULL_TEXT = '{urn:xmpp:fulltext:0}fulltext'
const NS_FORMS = 'jabber:x:data'

const DEFAULT_PAGE = 100
const MAX_PAGE = 250
/** The most words of a search. */
const MAX_WORDS = 32
const MAX_WORDS_BYTES = 512

/** A parsed query; ids are decoded to archive numbers. */
export interface Query {
  readonly id: string | undefined
  readonly filter: Filter
  readonly afterId: number | undefined
  readonly beforeId: number | undefined
  readonly page: PageRequest
  readonly isFlipped: boolean
}

export interface PageRequest {
  readonly max: number
  readonly after: number | undefined
  readonly before: number | undefined
  /** Whether the last page is requested. */
  readonly fromEnd: boolean
}

/** The filter for messages with that address. */
export type FilterOf = (jid: Jid) => Pick<Filter, 'peer' | 'resource'>

type Ids = Pick<ArchiveIds, 'decode'>

/**
 * Parses a query whose form may have these fields besides the standard ones. Throws StanzaError item-not-found for an
 * id that is not one of the archive's.
 */
export function readQuery (
  query: Element,
  ids: Ids,
  extraFields: readonly string[],
  filterOf: FilterOf = conversationWith,
): Query {
  const fields = fieldsOf(query, extraFields)
  const value = (name: string): string | undefined => fields.get(name)?.[0] || undefined
  return {
    id: query.attrs.queryid,
    filter: {
      ...peerOf(value('with'), filterOf),
      start: timeOf(value('start')),
      end: timeOf(value('end')),
      ids: fields.get('ids')?.length ? fields.get('ids')?.map(id => numberOf(id, ids)) : undefined,
      words: wordsOf(value(FULL_TEXT)),
    },
    afterId: optionalId(value('after-id'), ids),
    beforeId: optionalId(value('before-id'), ids),
    page: pageOf(query.getChild('set', NS_RSM), ids),
    isFlipped: query.getChild('flip-page', NS) !== undefined,
  }
}

const FIELDS: ReadonlySet<string> = new Set([
  'FORM_TYPE', 'with', 'start', 'end', 'before-id', 'after-id', 'ids', 'include-groupchat',
])

function fieldsOf (query: Element, extraFields: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const x = query.getChild('x', NS_FORMS)
  if (!x) return new Map()
  const fields = formValues(x)
  if (fields.get('FORM_TYPE')?.[0] !== NS) throw new StanzaError('bad-request', 'the form is of another type')
  for (const name of fields.keys()) {
    // §4.1.5.
    if (!FIELDS.has(name) && !extraFields.includes(name)) {
      throw new StanzaError('feature-not-implemented', `searching by ${name} is not supported`)
    }
  }
  return fields
}

/** §4.1.1: a bare address is that of all its resources. */
function conversationWith (jid: Jid): Pick<Filter, 'peer' | 'resource'> {
  return { peer: peerKey(jid), resource: jid.isBare ? undefined : escapeAttribute(jid.toString()) }
}

function peerOf (text: string | undefined, filterOf: FilterOf): Pick<Filter, 'peer' | 'resource'> {
  return text === undefined ? {} : filterOf(parseAddress(text))
}

function wordsOf (text: string | undefined): string | undefined {
  if (text === undefined) return
  if (Buffer.byteLength(text) > MAX_WORDS_BYTES || text.trim().split(/\s+/).length > MAX_WORDS) {
    throw new StanzaError('policy-violation',
      `a search can have at most ${MAX_WORDS} words and ${MAX_WORDS_BYTES} bytes`)
  }
  return text.replace(/-(?:\s*-)+/g, '-') // no double negation: the database would nest it up to its limit
}

const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/

// XEP-0082 §3.2.
function timeOf (text: string | undefined): number | undefined {
  if (text === undefined) return
  const time = DATE_TIME.test(text) ? Date.parse(text) : NaN
  if (Number.isNaN(time)) throw new StanzaError('bad-request', 'the date and time is invalid')
  return time
}

function optionalId (text: string | undefined, ids: Ids): number | undefined {
  return text === undefined ? undefined : numberOf(text, ids)
}

function numberOf (id: string, ids: Ids): number {
  const number = ids.decode(id)
  if (number === undefined) throw new StanzaError('item-not-found', 'the archive has no message with this id')
  return number
}

function pageOf (set: Element | undefined, ids: Ids): PageRequest {
  if (set?.getChild('index', NS_RSM)) {
    throw new StanzaError('feature-not-implemented', 'pages can be requested only by message id')
  }
  const text = (name: string): string | undefined => set?.getChildText(name, NS_RSM) ?? undefined
  const max = text('max')
  if (max !== undefined && !/^\d{1,9}$/.test(max)) {
    throw new StanzaError('bad-request', 'the page size must be a number')
  }
  const before = text('before')
  return {
    max: Math.min(MAX_PAGE, max === undefined ? DEFAULT_PAGE : Number(max)),
    after: optionalId(text('after') || undefined, ids),
    before: optionalId(before || undefined, ids),
    fromEnd: before !== undefined, // XEP-0059 §2.5: an empty one requests the last page
  }
}
