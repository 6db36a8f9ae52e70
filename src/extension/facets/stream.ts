/** What a client's stream offers before there is a session, and beside its stanzas. */
import type { Session } from '../../session/session.ts'
import type { Element } from '../../xml/element.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { NonzaHandler, OfferedStream, Resumption } from '../requests.ts'

export interface StreamFacet {
  /** There is a session where the login has bound one. */
  feature (
    when: 'before-auth' | 'after-auth',
    element: (stream: OfferedStream, session: Session | undefined) => Element | undefined,
  ): void
  /** XEP-0388: a feature that can be used within a login. */
  loginFeature (element: Element): void
  nonza (name: string, ns: string, handler: NonzaHandler): void
  /** XEP-0386: what a client may switch on while it binds; what is returned stands in `<bound/>`. */
  bindSwitch (ns: string, switchOn: (element: Element, session: Session) => Element | undefined): void
  /** Resumes sessions in place of binding (XEP-0198 §5); without an account it was asked for before the login. */
  resumption (
    name: string, ns: string,
    resume: (element: Element, account: Jid | undefined) => Resumption | Promise<Resumption>,
  ): void
}
