/** SASL EXTERNAL on the side of the server that is connected to (RFC 6120 §6, RFC 4422 appendix A, XEP-0178 §3). */
import { decodeBase64 } from '../util/base64.ts'
import { el, parseElement } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Frame } from '../xml/framer.ts'
import { SaslError, StreamError } from '../xmpp/errors.ts'
import { NS_SASL } from '../xmpp/ns.ts'
import { domainOf } from './dialback.ts'

/** RFC 6120 §6.4.5: after so many failures the stream ends. */
const MAX_FAILURES = 3

export class External {
  readonly #remote: string
  readonly #problem: string | undefined
  #isChallenged = false
  #failures = 0

  /** `problem` says why the certificate does not prove the domain; undefined where it does. */
  constructor (remote: string, problem: string | undefined) {
    this.#remote = remote
    this.#problem = problem
  }

  /** The stream feature; undefined where the certificate proves nothing. */
  get feature (): Element | undefined {
    if (this.#problem === undefined) return el('mechanisms', NS_SASL, {}, el('mechanism', NS_SASL, {}, 'EXTERNAL'))
  }

  /** The reply to an element: success, challenge or failure. Throws the stream's error after too many failures. */
  take (frame: Frame): Element {
    try {
      return this.#take(parseElement(frame))
    } catch (error) {
      if (!(error instanceof SaslError)) throw error
      if (++this.#failures >= MAX_FAILURES) throw new StreamError('policy-violation', 'too many failed logins')
      return el('failure', NS_SASL, {}, el(error.condition, NS_SASL))
    }
  }

  #take (element: Element): Element {
    const name = element.getName()
    const isAnswer = name === 'response' && this.#isChallenged
    this.#isChallenged = false
    if (name === 'abort') throw new SaslError('aborted')
    if (name !== 'auth' && !isAnswer) throw new SaslError('malformed-request')
    if (name === 'auth' && element.attrs['mechanism'] !== 'EXTERNAL') throw new SaslError('invalid-mechanism')
    if (this.#problem !== undefined) throw new SaslError('not-authorized', this.#problem)
    const text = element.text().trim()
    if (text === '' && name === 'auth') { // RFC 6120 §6.4.2: without an initial response
      this.#isChallenged = true
      return el('challenge', NS_SASL)
    }
    this.#check(text)
    return el('success', NS_SASL)
  }

  /** The identity to act as: none, `=` for an empty one, or that of the stream header. */
  #check (text: string): void {
    const said = text === '=' ? '' : decodeBase64(text)?.toString()
    if (said === undefined) throw new SaslError('incorrect-encoding')
    if (said !== '' && domainOf(said) !== this.#remote) throw new SaslError('invalid-authzid')
  }
}
