/**
 * Answers what an account asks of its own archive: one message per result, in order, and then the page's description.
 * Queries by others are refused.
 */
import { SESSION_FLAGS } from '../../src/extension/api.ts'
import type { AccountView, ExtensionHost, SessionView } from '../../src/extension/api.ts'
import { answerNode, answerOthers, describeNodeForm, isOfNode, notYours } from './nodes.ts'
import { answer, describeEnds, describeForm, fieldsOf, resultOf } from './query.ts'
import { NS, readQuery } from './request.ts'

export interface QueryParts {
  /** Whether the host's messages can be searched yet. */
  readonly maySearch: (host: string) => boolean
  /** Resolves when the account's writes in flight are committed or refused. */
  readonly settled: (account: AccountView) => Promise<void>
}

export function answerQueries (host: ExtensionHost, { maySearch, settled }: QueryParts): void {
  const own = { to: ['own-account'], ns: NS } as const
  // A session that queries the archive is not sent waiting messages besides (§6.1.1).
  const comesForIt = (session: SessionView): void => {
    if (!session.flags.has(SESSION_FLAGS.archive)) session.setFlag(SESSION_FLAGS.archive, true)
  }
  const extraFields = ({ account: { jid } }: SessionView): readonly string[] => fieldsOf(maySearch(jid.domain))

  host.iq({ ...own, type: 'get', name: 'query' }, (request, session) =>
    isOfNode(request) ? describeNodeForm(host, request) : describeForm(extraFields(session)))
  host.iq({ ...own, type: 'set', name: 'query' }, async (request, session) => {
    const { payload } = request
    if (isOfNode(request)) {
      await session.drained()
      return answerNode(host, request, result => { host.messages.deliver(session, result) })
    }
    const query = readQuery(payload, session.account.archiveIds, extraFields(session))
    comesForIt(session)
    const { account, jid } = session
    await settled(account) // RFC 6120 §10.1: stanzas that the client sent before the query count
    await session.drained()
    const { messages, fin } = await host.readFor(jid, db => answer(db, account, query))
    for (const kept of messages) {
      // This delivers the message: it need not be sent again.
      host.messages.deliver(session, resultOf(kept, query.id, account, jid).withArchiveNumber(String(kept.seq)))
    }
    return fin
  })
  host.iq({ ...own, type: 'get', name: 'metadata' }, async (_request, session) => {
    comesForIt(session)
    await settled(session.account)
    return host.readFor(session.jid, db => describeEnds(db, session.account))
  })
  answerOthers(host)
  for (const [type, name] of [['get', 'metadata'], ['get', 'prefs'], ['set', 'prefs']] as const) {
    host.iq({ type, to: ['address'], name, ns: NS }, () => { throw notYours() })
  }
}
