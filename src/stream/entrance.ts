/**
 * How who has logged in comes to a session: by binding a resource (RFC 6120 §7), by binding within the login (XEP-0386)
 * or by going on with a session that lost its stream (XEP-0198 §5). The client is told before anything else is written.
 */
import type { Accounts } from '../accounts/accounts.ts'
import type { Account } from '../session/account.ts'
import type { Session, SessionStream } from '../session/session.ts'
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
import type { Login } from './exchange.ts'
import type { BindRequest } from './bind2.ts'
import type { LoginRequest, LoginResult } from './sasl2.ts'
import type { StreamTable } from './stream-table.ts'

export interface EntranceParts {
  readonly accounts: Accounts
  readonly streams: StreamTable
  /** The server's own secret, the same on every node and after every start. */
  readonly secret: Buffer
  readonly resourceConflict: ResourceConflict
}

/** A stream that may be over while something is waited for. */
export interface NegotiatedStream extends SessionStream {
  readonly isClosed: boolean
}

export class Entrance {
  readonly #parts: EntranceParts
  readonly #stream: NegotiatedStream
  /** The session that the client is about to be told of. */
  session: Session | undefined
  #resumed: (() => void) | undefined

  constructor (parts: EntranceParts, stream: NegotiatedStream) {
    this.#parts = parts
    this.#stream = stream
  }

  /** Whether the session is an old one. */
  get isResumed (): boolean {
    return this.#resumed !== undefined
  }

  /** What a resumption still has to do when the client has been told of it. */
  goOn (): void {
    if (!this.#resumed) return
    this.session?.resume(this.#stream) // not before: what is sent again comes before what is new
    this.#resumed()
  }

  /** SASL 2: resumes or binds as the login asked, and says so in the success. */
  async complete (login: Login, request: LoginRequest): Promise<LoginResult> {
    const elements: Element[] = []
    for (const element of request.inline) {
      const reply = await this.resume(element, login)
      if (reply) elements.push(reply)
      if (this.session) return { jid: this.session.jid, elements } // XEP-0198 §9.2: instead of a binding
    }
    if (!request.bind) return { jid: login.jid, elements }
    const session = await this.#bindWithin(login, request.bind, request.userAgent?.id)
    return { jid: session.jid, elements: [...elements, bound(...this.#switchOn(request.bind, session))] }
  }

  async #bindWithin (login: Login, request: BindRequest, clientId: string | undefined): Promise<Session> {
    try {
      const account = await this.#parts.accounts.open(login.jid, login.anonymous)
      const full = chooseAddress(this.#parts.secret, login.jid, request.tag, clientId)
      checkRoom(account, full, 'replace')
      return this.#bind(account, full)
    } catch (error) { // logged in, and yet there is no place for a session: the profile has no word for it
      if (error instanceof StanzaError) throw new StreamError('resource-constraint', error.text)
      throw error
    }
  }

  /** XEP-0386 §3.2.2: what shall be on from the start. */
  #switchOn (request: BindRequest, session: Session): readonly Element[] {
    return request.features.flatMap(element => this.#parts.streams.switchOn(element, session) ?? [])
  }

  /** RFC 6120 §7.6: what answers the request. */
  async bind (request: Iq, login: Login): Promise<Stanza> {
    const bind = request.type === 'set' ? request.payload('bind', NS_BIND) : undefined
    if (!bind) throw new StreamError('not-authorized', 'a resource has to be bound first') // RFC 6120 §7.1
    try {
      const account = await this.#parts.accounts.open(login.jid, login.anonymous)
      const { jid } = this.#bind(account, chooseResource(bind, account, this.#parts.resourceConflict))
      return result(request, el('bind', NS_BIND, {}, el('jid', NS_BIND, {}, jid.toString())))
    } catch (error) {
      if (error instanceof StanzaError) return errorReply(request, error)
      throw error
    }
  }

  #bind (account: Account, full: Jid): Session {
    if (this.#stream.isClosed) throw new StreamError('connection-timeout', 'the client has left')
    this.session = this.#parts.accounts.bind(account, full, this.#stream)
    return this.session
  }

  /** XEP-0198 §5: what answers a request to resume, which may come before the login; nothing where it is none. */
  async resume (element: Element, login: Login | undefined): Promise<Element | undefined> {
    const resumption = await this.#parts.streams.resume(element, login?.jid)
    if (!resumption) return
    if (resumption.session && !this.#stream.isClosed) {
      this.session = resumption.session
      this.#resumed = resumption.resumed ?? (() => {})
    }
    return resumption.reply
  }
}
