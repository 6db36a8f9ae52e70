/** Which events of accounts' nodes a client wants: those whose nodes it names with `+notify` (XEP-0060 §9.2). */
import type { AccountView, SessionView } from '../extension/views.ts'
import type { Jid } from '../xmpp/jid.ts'

export interface Interests {
  /** The nodes whose events the session wants; the event `session.interested` tells that they have changed. */
  notify (session: SessionView): ReadonlySet<string>
  /** The clients of the account's contacts elsewhere that want events of the node. */
  remoteInterested (account: AccountView, node: string): Iterable<Jid>
}
