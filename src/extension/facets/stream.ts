/** A client's stream: its features, nonzas, binding and resumption. */
import type { Element } from '../../xml/element.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { NonzaHandler, OfferedStream, Resumption } from '../requests.ts'
import type { SessionView } from '../views.ts'

export interface StreamFacet {
  /** Adds a stream feature. `session` is undefined unless the login has bound one (XEP-0386). */
  feature (
    when: 'before-auth' | 'after-auth',
    element: (stream: OfferedStream, session: SessionView | undefined) => Element | undefined,
  ): void
  /** Adds a feature that can be used inline in a login (XEP-0388). */
  loginFeature (element: Element): void
  /** Handles a top-level element that is no stanza. */
  nonza (name: string, ns: string, handler: NonzaHandler): void
  /** Adds a feature that clients enable while they bind (XEP-0386); the returned element goes into `<bound/>`. */
  bindSwitch (ns: string, switchOn: (element: Element, session: SessionView) => Element | undefined): void
  /** Starts counting stanzas from the client at `taken`, for the node that resumes the session under that id. */
  countInbound (session: SessionView, id: string, taken: number): void
  /** Handles requests to resume a session in place of binding (XEP-0198 §5); before the login there is no account. */
  resumption (
    name: string, ns: string,
    resume: (element: Element, account: Jid | undefined) => Resumption | Promise<Resumption>,
  ): void
}
