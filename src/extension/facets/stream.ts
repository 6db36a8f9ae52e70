/** What a client's stream offers before there is a session, and beside its stanzas. */
import type { Element } from '../../xml/element.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { NonzaHandler, OfferedStream, Resumption } from '../requests.ts'
import type { SessionView } from '../views.ts'

export interface StreamFacet {
  /** There is a session where the login has bound one. */
  feature (
    when: 'before-auth' | 'after-auth',
    element: (stream: OfferedStream, session: SessionView | undefined) => Element | undefined,
  ): void
  /** XEP-0388: a feature that can be used within a login. */
  loginFeature (element: Element): void
  nonza (name: string, ns: string, handler: NonzaHandler): void
  /** XEP-0386: what a client may switch on while it binds; what is returned stands in `<bound/>`. */
  bindSwitch (ns: string, switchOn: (element: Element, session: SessionView) => Element | undefined): void
  /** From now on counts the stanzas taken from the client, for the node at which the session goes on under that id. */
  countInbound (session: SessionView, id: string, taken: number): void
  /** Resumes sessions in place of binding (XEP-0198 §5); without an account it was asked for before the login. */
  resumption (
    name: string, ns: string,
    resume: (element: Element, account: Jid | undefined) => Resumption | Promise<Resumption>,
  ): void
}
