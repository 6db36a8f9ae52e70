/**
 * Binds a session to an authenticated stream: by resource binding (RFC 6120 §7), by binding within the login (XEP-0386)
 * or by resuming a session (XEP-0198 §5). The client gets the answer before anything else is written.
 */
import type { Accounts } from '../accounts/accounts.ts'
import type { OfferedStream } from '../extension/requests.ts'
import type { Account } from '../session/account.ts'
import type { EventTable } from '../session/events.ts'
import type { Session } from '../session/session.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_BIND } from '../xmpp/ns.ts'
import { errorReply, result } from '../xmpp/stanza.ts'
import type { Iq, Stanza } from '../xmpp/stanza.ts'
import { bound, chooseAddress } from './bind2.ts'
import { checkRoom, chooseResource } from './bind.ts'
import type { ResourceConflict } from './bind.ts'
import type { Login } from './sasl/exchange.ts'
import type { BindRequest } from './bind2.ts'
import { featuresAfterLogin } from './features.ts'
import type { AdvertisedLimits } from './features.ts'
import type { LoginRequest, LoginResult } from './sasl/sasl2.ts'
import type { NegotiatedStream, SessionLink } from './session-link.ts'
import { SessionReader } from './session-reader.ts'
import type { ReaderParts } from './session-reader.ts'

export interface BinderParts extends ReaderParts {
  readonly accounts: Accounts
  readonly events: EventTable
  /** The server's own secret, the same on every node and after every start. */
  readonly secret: Buffer
  readonly resourceConflict: ResourceConflict
  readonly limits: AdvertisedLimits
}

/** Resource binding and resumption for one stream. */
export interface SessionBinder {
  /** The link to the bound session, of which the client has not been told yet. */
  readonly link: SessionLink | undefined
  /** Whether the session was resumed. */
  readonly isResumed: boolean
  /** SASL 2: resumes or binds as the login asks, for the success. */
  complete (login: Login, request: LoginRequest): Promise<LoginResult>
  /** RFC 6120 §7.6: the answer to the request. */
  bind (request: Iq, login: Login): Promise<Stanza>
  /**
   * XEP-0198 §5: the answer to a request to resume, which may come before the login; undefined where the element is no
   * such request.
   */
  resume (element: Element, login: Login | undefined): Promise<Element | undefined>
  /** The features after the login, as XML. */
  features (stream: OfferedStream): string
  /** The client has been told. */
  activate (): void
}

/** The binder at the account's owner node. */
export class LocalBinder implements SessionBinder {
  readonly #parts: BinderParts
  readonly #stream: NegotiatedStream
  link: SessionReader | undefined
  #resumed: (() => void) | undefined

  constructor (parts: BinderParts, stream: NegotiatedStream) {
    this.#parts = parts
    this.#stream = stream
  }

  get isResumed (): boolean {
    return this.#resumed !== undefined
  }

  features (stream: OfferedStream): string {
    return featuresAfterLogin(this.link?.session, stream, this.#parts.limits, this.#parts.streams)
  }

  activate (): void {
    const session = this.link?.session
    if (!session) return
    if (!this.#resumed) return this.#parts.events.emit('session.bound', session)
    this.#parts.events.emit('session.resuming', session)
    session.resume(this.#stream) // not before: repeated stanzas come before new ones
    this.#resumed()
  }

  async complete (login: Login, request: LoginRequest): Promise<LoginResult> {
    const elements: Element[] = []
    for (const element of request.inline) {
      const reply = await this.resume(element, login)
      if (reply) elements.push(reply)
      if (this.link) return { jid: this.link.jid, elements } // XEP-0198 §9.2: instead of a binding
    }
    if (!request.bind) return { jid: login.jid, elements }
    const session = await this.#bindWithin(login, request.bind, request.userAgent?.id)
    return { jid: session.jid, elements: [...elements, bound(this.#switchOn(request.bind, session))] }
  }

  async #bindWithin (login: Login, request: BindRequest, clientId: string | undefined): Promise<Session> {
    try {
      const account = await this.#parts.accounts.open(login.jid, login.anonymous, login.madeAt)
      const full = chooseAddress(this.#parts.secret, login.jid, request.tag, clientId)
      checkRoom(account, full, 'replace')
      return this.#bind(account, full)
    } catch (error) {
      throw noPlace(error)
    }
  }

  /** XEP-0386 §3.2.2: enables the requested features. */
  #switchOn (request: BindRequest, session: Session): readonly Element[] {
    return request.features.flatMap(element => this.#parts.streams.switchOn(element, session) ?? [])
  }

  async bind (request: Iq, login: Login): Promise<Stanza> {
    const bind = request.type === 'set' ? request.payload('bind', NS_BIND) : undefined
    if (!bind) throw new StreamError('not-authorized', 'a resource must be bound first') // RFC 6120 §7.1
    try {
      const account = await this.#parts.accounts.open(login.jid, login.anonymous, login.madeAt)
      const { jid } = this.#bind(account, chooseResource(bind, account, this.#parts.resourceConflict))
      return result(request, el('bind', NS_BIND, {}, el('jid', NS_BIND, {}, jid.toString())))
    } catch (error) {
      if (error instanceof StanzaError) return errorReply(request, error)
      throw error
    }
  }

  #bind (account: Account, full: Jid): Session {
    if (this.#stream.isClosed) throw clientLeft()
    const session = this.#parts.accounts.bind(account, full, this.#stream)
    this.link = new SessionReader(session, this.#stream, this.#parts)
    return session
  }

  async resume (element: Element, login: Login | undefined): Promise<Element | undefined> {
    const resumption = await this.#parts.streams.resume(element, login?.jid)
    if (!resumption) return
    if (resumption.session && !this.#stream.isClosed) {
      this.link = new SessionReader(resumption.session, this.#stream, this.#parts)
      this.#resumed = resumption.resumed ?? (() => {})
    }
    return resumption.reply
  }
}

/** The client disconnected before it had a session. */
export function clientLeft (): StreamError {
  return new StreamError('connection-timeout', 'your client has disconnected')
}

/** Authenticated, but without a session: SASL 2 has no error for that. */
export function noPlace (error: unknown): unknown {
  return error instanceof StanzaError ? new StreamError('resource-constraint', error.text) : error
}
