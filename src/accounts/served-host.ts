/** A host that is served here: its own address is the server's (RFC 6120 §10.5.1), the rest are its accounts'. */
import type { Destination, Router } from '../routing/router.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { Incoming } from './incoming.ts'

export class ServedHost implements Destination {
  readonly #router: Router
  readonly #incoming: Incoming

  constructor (router: Router, incoming: Incoming) {
    this.#router = router
    this.#incoming = incoming
  }

  prepare (to: Jid): Promise<void> | undefined {
    return to.local === '' ? undefined : this.#incoming.prepare(to)
  }

  receive (stanza: Stanza): void | Promise<void> {
    if (!stanza.to || stanza.to.local !== '') return this.#incoming.receive(stanza)
    if (stanza.kind === 'iq') return this.#router.answer(stanza, stanza.to.isBare ? ['server'] : [], stanza.to)
    if (stanza.kind === 'message') return this.#router.bounce(stanza, new StanzaError('service-unavailable'))
  }

  receiveHere (stanza: Stanza, from: string): boolean | Promise<boolean> {
    return this.#incoming.receiveHere(stanza, from)
  }
}
