/**
 * XEP-0442: Pubsub Message Archive Management: queries of nodes, of accounts and at pubsub.HOST. The archive of a node
 * is the items that it has.
 */
import { messageWith, el, forwarded, StanzaError } from '../../src/extension/api.ts'
import type { Element, ExtensionHost, IqRequest, Jid, Message, NodeArchive } from '../../src/extension/api.ts'
import { describeForm, describePage } from './query.ts'
import { NS, readQuery } from './request.ts'
import type { FilterOf } from './request.ts'

/** Whether a query is for a node's archive, and not for its account's. */
export function isOfNode ({ payload }: IqRequest): boolean {
  return payload.attrs['node'] !== undefined
}

/** Answers queries of nodes by others than their account, and of those of the service. */
export function answerOthers (host: ExtensionHost): void {
  const route = { name: 'query', ns: NS } as const
  const check = (request: IqRequest): void => { if (!isOfNode(request)) throw notYours() }
  host.iq({ ...route, type: 'get', to: ['account', 'pubsub'] }, request => {
    check(request)
    return describeNodeForm(host, request)
  })
  host.iq({ ...route, type: 'set', to: ['account', 'pubsub'] }, request => {
    check(request)
    return answerNode(host, request, result => { host.messages.route(result) })
  })
  for (const type of ['get', 'set'] as const) {
    host.iq({ ...route, type, to: ['address'] }, request => {
      check(request)
      throw new StanzaError('item-not-found') // as an account without nodes answers
    })
  }
  for (const feature of [NS, `${NS}#extended`]) host.disco.feature(feature, 'pubsub')
}

/** §8.1. */
export function notYours (): StanzaError {
  return new StanzaError('forbidden', 'the archive is not yours')
}

export async function describeNodeForm (host: ExtensionHost, request: IqRequest): Promise<Element> {
  await archiveFor(host, request)
  return describeForm([])
}

/** Sends the results of a query by `send`, and resolves with the page's description. */
export async function answerNode (
  host: ExtensionHost, request: IqRequest, send: (result: Message) => void,
): Promise<Element> {
  const { from, to, payload } = request
  const archive = await archiveFor(host, request)
  const { archiveIds } = archive
  const { id: queryid, filter, afterId, beforeId, page, isFlipped } =
    readQuery(payload, archiveIds, [], publisherFilter(archive))
  const { peer, resource, ...times } = filter
  const { events, isComplete, count } = await archive.read({
    ...times, publisher: resource ?? peer, max: page.max, fromEnd: page.fromEnd,
    after: Math.max(afterId ?? 0, page.after ?? 0), before: Math.min(beforeId ?? Infinity, page.before ?? Infinity),
    known: [afterId, beforeId, page.after, page.before, ...filter.ids ?? []].filter(id => id !== undefined),
  })
  for (const { seq, sentAt, event } of isFlipped ? events.toReversed() : events) {
    const result = el('result', NS, { queryid, id: archiveIds.encode(seq) })
    send(messageWith('normal', { from: to, to: from }, forwarded(result, event.toBytes(), sentAt)))
  }
  const isFiltered = [...Object.values(filter), afterId, beforeId].some(condition => condition !== undefined)
  return describePage({ messages: events, isComplete }, isFiltered ? undefined : count, archiveIds)
}

function archiveFor (host: ExtensionHost, { from, to, payload }: IqRequest): Promise<NodeArchive> {
  return host.pubsub.archive(to, payload.attrs['node'] ?? '', from)
}

/** XEP-0313 §4.1.1: who published is asked for only by those who may know it. */
function publisherFilter ({ seesPublishers }: NodeArchive): FilterOf {
  return (jid: Jid) => {
    if (!seesPublishers) throw new StanzaError('forbidden', 'you do not see who has published here')
    return jid.isBare ? { peer: jid.toString() } : { resource: jid.toString() }
  }
}
