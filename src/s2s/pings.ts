/**
 * Pings (XEP-0199) behind the stanzas of a link: the answer, which may come on another stream and at another node, says
 * whether the other server has taken them.
 */
import type { ServerRequests } from '../routing/server-requests.ts'
import { el } from '../xml/element.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT, NS_STANZA_ERRORS } from '../xmpp/ns.ts'
import { iq } from '../xmpp/stanza.ts'
import type { Iq } from '../xmpp/stanza.ts'
import { LinkError } from './link.ts'

const NS_PING = 'urn:xmpp:ping'

/** Conditions with which a server that works answers pings it does not support (XEP-0199 §4.3). */
const UNSUPPORTED: readonly string[] = ['feature-not-implemented', 'service-unavailable', 'not-allowed', 'forbidden']

export class Pings {
  readonly #requests: ServerRequests
  readonly #local: Jid
  readonly #remote: Jid
  readonly #send: (request: Iq) => void
  #isSupported = false

  /** From one domain to another; `send` writes behind the stanzas that the pings are for. */
  constructor (requests: ServerRequests, local: string, remote: string, send: (request: Iq) => void) {
    this.#requests = requests
    this.#local = Jid.parse(local)
    this.#remote = Jid.parse(remote)
    this.#send = send
  }

  /** Resolves when the other server has taken what was sent before; rejects with a LinkError unless it says so. */
  async ping (): Promise<void> {
    const request = iq('get', { from: this.#local, to: this.#remote }, el('ping', NS_PING))
    const answer = await this.#requests.askOn(this.#send, request)
    if (answer.type === 'result') this.#isSupported = true
    // ejabberd answers like that while it stops: what would keep messages has stopped as well.
    else if (this.#isSupported || !isUnsupported(answer)) throw new LinkError('unreachable', 'it does not answer pings')
  }
}

function isUnsupported (answer: Iq): boolean {
  const conditions = answer.payload('error', NS_CLIENT)?.getChildElements() ?? []
  return conditions.some(one => one.getNS() === NS_STANZA_ERRORS && UNSUPPORTED.includes(one.getName()))
}
