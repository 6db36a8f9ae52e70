/** XEP-0060 §6.5: retrieves items, in pages (XEP-0059). */
import { el } from '../../xml/element.ts'
import type { Element } from '../../xml/element.ts'
import { Written } from '../../xml/written.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { escapeAttribute } from '../../xml/write.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { NS_PUBSUB } from '../../xmpp/pubsub.ts'
import { refusalToRead } from '../access.ts'
import { checkedName, nodeIn, treeOf } from '../context.ts'
import type { Answer, Call, Context } from '../context.ts'
import type { Engine } from '../engine.ts'
import { unsupported } from '../errors.ts'
import { itemXml } from '../events.ts'
import type { PubsubNode } from '../node.ts'
import { hasItem, readItems } from '../store.ts'
import type { Page, Range } from '../store.ts'

export const NS_RSM = 'http://jabber.org/protocol/rsm'
/** Items of one answer. */
const MAX_PAGE = 1000

export async function answerItems (
  { engine, db, settled }: Context, { owner, from, action, besides }: Call,
): Promise<Answer> {
  const name = nodeIn(action)
  const set = besides?.name === 'set' && besides.ns === NS_RSM ? treeOf(besides) : undefined
  const range = rangeOf(treeOf(action), set)
  await settled(from)
  const { node, page } = await engine.page(owner, name, from, (db, node) => readItems(db, node, range),
    node => checkReader(engine, node, from))
  const edge = range.after ?? range.before
  if (edge !== undefined && page.items.length === 0 && !await hasItem(db, node, edge)) { // XEP-0059 §2.4
    throw new StanzaError('item-not-found')
  }
  const items = page.items.map(item => itemXml(node, item)).join('')
  const tag = `<items node='${escapeAttribute(name)}'`
  return Written.around(el('pubsub', NS_PUBSUB), items === '' ? `${tag}/>` : `${tag}>${items}</items>`,
    isPart(page, range, set) ? pageMark(page).toString() : '')
}

/** Throws the error for who may not retrieve items, and for a node that keeps none (§6.5.9). */
export async function checkReader (engine: Engine, node: PubsubNode, who: Jid): Promise<void> {
  const refusal = await refusalToRead(node, who, engine.parts.contacts)
  if (refusal) throw refusal
  if (!node.config.persist_items) throw unsupported('persistent-items') // §6.5.9.4
}

function rangeOf (items: Element, set: Element | undefined): Range {
  const ids = items.getChildren('item', NS_PUBSUB)
    .flatMap(({ attrs: { id } }) => id === undefined ? [] : checkedName(id))
  if (ids.length > MAX_PAGE) throw new StanzaError('policy-violation', `at most ${MAX_PAGE} items can be asked for`)
  if (ids.length > 0) return { ids, max: MAX_PAGE }
  if (!set) return { max: numberIn(items.attrs['max_items']) } // §6.5.7: the most recent
  if (set.getChild('index', NS_RSM)) throw new StanzaError('feature-not-implemented', 'pages are asked for by items')
  const text = (name: string): string | undefined => set.getChildText(name, NS_RSM) ?? undefined
  const before = text('before')
  const after = text('after') || undefined
  return {
    max: numberIn(text('max') ?? items.attrs['max_items']), after, before: before || undefined,
    fromStart: before === undefined && after === undefined, // XEP-0059 §2.5: an empty `before` asks for the last page
  }
}

function numberIn (text: string | undefined): number {
  if (text === undefined) return MAX_PAGE
  if (!/^\d{1,9}$/.test(text)) throw new StanzaError('bad-request', 'the number of items must be a number')
  return Math.min(MAX_PAGE, Number(text))
}

/** §6.5.4: whether the answer says that there is more than it was asked for. */
function isPart ({ items, count }: Page, { ids, max }: Range, set: Element | undefined): boolean {
  return set !== undefined || (!ids && items.length < count && (items.length < max || max === MAX_PAGE))
}

// XEP-0059 §2.2 and §2.6.
function pageMark ({ items, count }: Page): Element {
  const [first, last] = [items.at(0), items.at(-1)]
  return el('set', NS_RSM, {},
    first && el('first', NS_RSM, {}, first.id), last && el('last', NS_RSM, {}, last.id),
    el('count', NS_RSM, {}, String(count)))
}
