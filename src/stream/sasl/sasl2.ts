/**
 * XEP-0388: Extensible SASL Profile, within TLS only. A login with inline requests (to bind a resource, to resume a
 * stream), which are answered together; the stream is not restarted.
 */
import { decodeBase64 } from '../../util/base64.ts'
import { SaslError, StreamError } from '../../xmpp/errors.ts'
import { el } from '../../xml/element.ts'
import { NS_BIND2, parseBind } from '../bind2.ts'
import type { Element } from '../../xml/element.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Authenticator, Outcome } from './authenticator.ts'
import type { BindRequest } from '../bind2.ts'
import type { Login, Offer, Step } from './exchange.ts'

export const NS_SASL2 = 'urn:xmpp:sasl:2'

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** A client's description of itself, for its user only (XEP-0388 §2.3). */
export interface UserAgent {
  /** The id of this installation of the client. */
  readonly id: string | undefined
  readonly software: string | undefined
  readonly device: string | undefined
}

/** The inline requests of a login. */
export interface LoginRequest {
  readonly userAgent: UserAgent | undefined
  readonly bind: BindRequest | undefined
  /** Other elements. */
  readonly inline: readonly Element[]
}

const NOTHING_MORE: LoginRequest = { userAgent: undefined, bind: undefined, inline: [] }

export interface LoginResult {
  /** Full where a resource was bound or a stream resumed, else bare. */
  readonly jid: Jid
  /** Elements of the success, such as `<bound/>`. */
  readonly elements: readonly Element[]
}

/** Handles the inline requests before the success is sent; its errors are no login failures. */
export type CompleteLogin = (login: Login, request: LoginRequest) => Promise<LoginResult>

/** The stream feature, for an encrypted stream only (XEP-0388 §3); `inline` are the features of inline requests. */
export function authenticationFeature (offer: Offer, inline: readonly Element[]): Element {
  return el('authentication', NS_SASL2, {},
    offer.mechanisms.map(name => el('mechanism', undefined, {}, name)),
    inline.length > 0 ? el('inline', undefined, {}, inline) : undefined)
}

/** One per stream: handles the client's elements of this namespace. */
export class Sasl2 {
  readonly #authenticator: Authenticator
  readonly #complete: CompleteLogin
  #request = NOTHING_MORE

  constructor (authenticator: Authenticator, complete: CompleteLogin) {
    this.#authenticator = authenticator
    this.#complete = complete
  }

  /** Answers an element. After a login new stream features follow at once, on the same stream. */
  async take (element: Element): Promise<Outcome> {
    let step: Step
    try {
      step = await this.#advance(element)
    } catch (error) { // a SaslError; `refuse` rethrows any other
      return this.#authenticator.refuse(NS_SASL2, error)
    }
    if ('challenge' in step) return { reply: el('challenge', NS_SASL2, {}, step.challenge.toString('base64')) }
    return await this.#succeed(step.success, step.data)
  }

  async #advance (element: Element): Promise<Step> {
    switch (element.getName()) {
      case 'authenticate': return await this.#begin(element)
      case 'response': return await this.#authenticator.respond(NS_SASL2, decode(element.text()))
      case 'abort': throw new SaslError('aborted')
      default: throw new StreamError('policy-violation') // XEP-0388 §2.4
    }
  }

  async #begin (element: Element): Promise<Step> {
    if (this.#authenticator.isUnderWay) throw new StreamError('policy-violation') // XEP-0388 §2.4
    if (!this.#authenticator.isEncrypted) throw new SaslError('encryption-required') // XEP-0388 §3
    this.#request = parseRequest(element)
    // XEP-0388 §2.2: an empty element is an empty response, a missing one is none
    const initial = element.getChild('initial-response', NS_SASL2)
    return await this.#authenticator.begin(NS_SASL2, element.attrs.mechanism, initial && decode(initial.text()))
  }

  async #succeed (login: Login, data: Buffer | undefined): Promise<Outcome> {
    const { jid, elements } = await this.#complete(login, this.#request)
    const reply = el('success', NS_SASL2, {},
      data && el('additional-data', undefined, {}, data.toString('base64')),
      el('authorization-identifier', undefined, {}, jid.toString()),
      elements)
    return { reply, login }
  }
}

function parseRequest (element: Element): LoginRequest {
  const bind = element.getChild('bind', NS_BIND2)
  return {
    userAgent: parseUserAgent(element.getChild('user-agent', NS_SASL2)),
    bind: bind && parseBind(bind),
    inline: element.getChildElements().filter(child => child.getNS() !== NS_SASL2 && child !== bind),
  }
}

function parseUserAgent (element: Element | undefined): UserAgent | undefined {
  if (!element) return undefined
  const id = element.attrs.id
  if (id !== undefined && !UUID.test(id)) throw new SaslError('malformed-request', 'The user-agent\'s id is no UUID')
  return {
    id,
    software: element.getChildText('software', NS_SASL2) ?? undefined,
    device: element.getChildText('device', NS_SASL2) ?? undefined,
  }
}

/** XEP-0388 §2.2: white space should not occur, and is ignored. */
function decode (text: string): Buffer {
  const data = decodeBase64(text.replace(/[ \t\r\n]+/g, ''))
  if (!data) throw new SaslError('incorrect-encoding')
  return data
}
