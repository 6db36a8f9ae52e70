/**
 * XEP-0388: Extensible SASL Profile. Within TLS: a login that also says what shall be true once it succeeded (a
 * resource bound, a stream resumed), so that all of it is one answer and no stream begins anew.
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

/** What a client says of itself, for its owner's eyes only (XEP-0388 §2.3). */
export interface UserAgent {
  /** Of this installation of the client, for as long as it lives. */
  readonly id: string | undefined
  readonly software: string | undefined
  readonly device: string | undefined
}

/** What shall be done once the login succeeded. */
export interface LoginRequest {
  readonly userAgent: UserAgent | undefined
  readonly bind: BindRequest | undefined
  /** The other elements: what later standards define. */
  readonly inline: readonly Element[]
}

const NOTHING_MORE: LoginRequest = { userAgent: undefined, bind: undefined, inline: [] }

export interface LoginResult {
  /** Full where a resource was bound or a stream resumed, else bare. */
  readonly jid: Jid
  /** What the success holds of it: `<bound/>` and the like. */
  readonly elements: readonly Element[]
}

/** Does what was asked for, before the client hears of its success; what it throws is not the client's failure. */
export type CompleteLogin = (login: Login, request: LoginRequest) => Promise<LoginResult>

/** The stream feature, for an encrypted stream only (XEP-0388 §3); `inline` can be asked for with the login. */
export function authenticationFeature (offer: Offer, inline: readonly Element[]): Element {
  return el('authentication', NS_SASL2, {},
    offer.mechanisms.map(name => el('mechanism', undefined, {}, name)),
    inline.length > 0 ? el('inline', undefined, {}, inline) : undefined)
}

/** One per stream: takes the client's elements of this namespace. */
export class Sasl2 {
  readonly #authenticator: Authenticator
  readonly #complete: CompleteLogin
  #request = NOTHING_MORE

  constructor (authenticator: Authenticator, complete: CompleteLogin) {
    this.#authenticator = authenticator
    this.#complete = complete
  }

  /** What to answer. New stream features follow at once when the outcome holds a login: the stream goes on. */
  async take (element: Element): Promise<Outcome> {
    let step: Step
    try {
      step = await this.#advance(element)
    } catch (error) { // a SaslError; `refuse` throws any other again
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

/** XEP-0388 §2.2: there should be no white space, and it is passed over. */
function decode (text: string): Buffer {
  const data = decodeBase64(text.replace(/[ \t\r\n]+/g, ''))
  if (!data) throw new SaslError('incorrect-encoding')
  return data
}
