/**
 * The state that both SASL profiles of a stream share (RFC 6120 §6, XEP-0388): the current attempt, the number of
 * failures, and the failure element.
 */
import { NS_SASL } from '../../xmpp/ns.ts'
import { SaslError, StreamError } from '../../xmpp/errors.ts'
import { el } from '../../xml/element.ts'
import { startExchange } from './mechanisms.ts'
import type { Element } from '../../xml/element.ts'
import type { Exchange, Login, LoginContext, Step } from './exchange.ts'
import type { LoginLimits } from './login-limits.ts'

/** A profile's answer to an element of the client. */
export interface Outcome {
  readonly reply: Element
  /** Set with the success. */
  readonly login?: Login
  /** Ends the stream after the reply. */
  readonly end?: StreamError
}

export interface AuthenticatorOptions extends Omit<LoginContext, 'guess'> {
  readonly limits: LoginLimits
  readonly address: string
  /** Whether the client has disconnected. */
  readonly isGone: () => boolean
}

/** RFC 6120 §6.4.5: two to five retries. */
const MAX_FAILURES = 3

/** One per stream, created with the offer; handles one element at a time. */
export class Authenticator {
  readonly #context: LoginContext
  #attempt: { readonly profile: string, readonly exchange: Exchange } | undefined
  #failures = 0
  #isDone = false

  constructor (options: AuthenticatorOptions) {
    const { limits, address, isGone } = options
    this.#context = { ...options, guess: (account, compare) => limits.attempt(address, account, compare, isGone) }
  }

  get isEncrypted (): boolean {
    return this.#context.offer.isEncrypted
  }

  /** Whether the client must send a response. */
  get isUnderWay (): boolean {
    return this.#attempt !== undefined
  }

  /** Begins an attempt, in place of a current one (RFC 6120 §6.4.2); `initial` is the initial response, if any. */
  async begin (profile: string, mechanism: string | undefined, initial: Buffer | undefined): Promise<Step> {
    this.#attempt = undefined
    if (this.#isDone) throw new StreamError('policy-violation', 'Already logged in') // XEP-0388 §4.8
    const attempt = { profile, exchange: startExchange(mechanism ?? '', this.#context) }
    if (initial) return await this.#advance(attempt, initial)
    // All mechanisms here are client-first: an empty challenge asks for the initial response.
    this.#attempt = attempt
    return { challenge: Buffer.alloc(0) }
  }

  async respond (profile: string, data: Buffer): Promise<Step> {
    const attempt = this.#attempt
    if (attempt?.profile !== profile) throw new SaslError('malformed-request', 'There was no challenge')
    return await this.#advance(attempt, data)
  }

  async #advance (attempt: { readonly profile: string, readonly exchange: Exchange }, data: Buffer): Promise<Step> {
    const step = await attempt.exchange.respond(data)
    this.#isDone = 'success' in step
    this.#attempt = this.#isDone ? undefined : attempt
    return step
  }

  /** Ends the attempt with the failure of a SaslError, in the profile's namespace; rethrows any other error. */
  refuse (profile: string, error: unknown): Outcome {
    this.#attempt = undefined
    if (!(error instanceof SaslError)) throw error
    this.#failures++
    const reply = failure(profile, error)
    if (this.#failures < MAX_FAILURES) return { reply }
    return { reply, end: new StreamError('policy-violation', 'Too many failed logins') }
  }
}

/** RFC 6120 §6.5, XEP-0388 §2.6.2: both profiles use the RFC's conditions. */
function failure (profile: string, { condition, text }: SaslError): Element {
  return el('failure', profile, {},
    el(condition, profile === NS_SASL ? undefined : NS_SASL),
    text === undefined ? undefined : el('text', undefined, { 'xml:lang': 'en' }, text))
}
