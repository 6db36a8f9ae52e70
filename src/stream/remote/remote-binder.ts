/**
 * The binder at an edge: asks the account's owner, wherever it is, to bind or resume there. The client gets the same
 * answers as from a local binder.
 */
import { setTimeout } from 'node:timers/promises'
import { NodeGone } from '../../cluster/bus/bus.ts'
import type { NodeId } from '../../cluster/bus/bus.ts'
import type { EnterAnswer, EnterRequest } from '../../cluster/bus/protocol.ts'
import type { StreamPeer } from '../../extension/requests.ts'
import { parseStored } from '../../xml/stored.ts'
import type { Element } from '../../xml/element.ts'
import { StanzaError, StreamError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT } from '../../xmpp/ns.ts'
import { storedStanza } from '../../xmpp/read-stanza.ts'
import { errorReply } from '../../xmpp/stanza.ts'
import type { Iq, Stanza } from '../../xmpp/stanza.ts'
import { clientLeft, noPlace } from '../binder.ts'
import type { LocalBinder, BinderParts, SessionBinder } from '../binder.ts'
import type { Login } from '../sasl/exchange.ts'
import type { Edge, EdgeStream, RemoteSessionLink } from './edge.ts'
import { streamError } from './wire-format.ts'
import type { LoginRequest, LoginResult } from '../sasl/sasl2.ts'
import type { SessionLink } from '../session-link.ts'

/** The timeout for finding the owner: a dead node's claims expire within that time. */
const PATIENCE_MS = 8_000
const LOOK_AGAIN_MS = 200

/** What is asked of the home. */
type Request = Pick<EnterRequest, 'how' | 'elements' | 'bind' | 'clientId'>

export class RemoteBinder implements SessionBinder {
  readonly #here: LocalBinder
  readonly #parts: Pick<BinderParts, 'accounts'>
  readonly #edge: Edge
  readonly #stream: EdgeStream
  readonly #peer: () => StreamPeer
  #link: RemoteSessionLink | undefined
  #answer: EnterAnswer | undefined

  /** `here` is the binder for accounts that this node owns. */
  constructor (
    here: LocalBinder, parts: Pick<BinderParts, 'accounts'>, edge: Edge, stream: EdgeStream, peer: () => StreamPeer,
  ) {
    this.#here = here
    this.#parts = parts
    this.#edge = edge
    this.#stream = stream
    this.#peer = peer
  }

  get link (): SessionLink | undefined {
    return this.#link ?? this.#here.link
  }

  get isResumed (): boolean {
    return this.#answer?.isResumed ?? this.#here.isResumed
  }

  features (stream: StreamPeer): string {
    return this.#answer?.features ?? this.#here.features(stream)
  }

  activate (): void {
    if (this.#link) this.#link.goOn() // the owner activates the session by itself
    else this.#here.activate()
  }

  async complete (login: Login, request: LoginRequest): Promise<LoginResult> {
    const { inline, bind, userAgent } = request
    if (inline.length === 0 && !bind) return this.#here.complete(login, request)
    try {
      const answer = await this.#ask(login, {
        how: 'complete', elements: inline.map(String), clientId: userAgent?.id,
        bind: bind && { tag: bind.tag, features: bind.features.map(String) },
      })
      if (!answer) return await this.#here.complete(login, request)
      return { jid: this.#link?.jid ?? login.jid, elements: answer.elements.map(parseStored) }
    } catch (error) {
      throw noPlace(error)
    }
  }

  async bind (request: Iq, login: Login): Promise<Stanza> {
    try {
      const answer = await this.#ask(login, { how: 'bind', elements: [request.toXml(NS_CLIENT)] })
      const [reply] = answer?.elements ?? []
      return reply === undefined ? await this.#here.bind(request, login) : storedStanza(reply)
    } catch (error) {
      if (error instanceof StanzaError) return errorReply(request, error)
      throw error
    }
  }

  async resume (element: Element, login: Login | undefined): Promise<Element | undefined> {
    try {
      const answer = login && await this.#ask(login, { how: 'resume', elements: [element.toString()] })
      if (!answer) return await this.#here.resume(element, login)
      const [reply] = answer.elements
      return reply === undefined ? undefined : parseStored(reply)
    } catch (error) {
      throw noPlace(error) // a refusal would cost the session
    }
  }

  /** The owner's answer; undefined where that is this node. */
  async #ask (login: Login, request: Request): Promise<EnterAnswer | undefined> {
    if (login.anonymous) return
    const until = performance.now() + PATIENCE_MS
    let isRetry = false
    for (;;) {
      const located = await this.#parts.accounts.locate(login.jid)
      // Not before: an account that another node has just handed over for this client needs an owner.
      if (this.#stream.isClosed) throw clientLeft()
      if (!located || 'account' in located) return
      const answer = await this.#enter(located.node, login, request)
      if (answer) return answer
      // RFC 6120 §4.9.3.15: not <remote-connection-failed/>, which is about other services.
      if (performance.now() > until)
        throw new StreamError('internal-server-error', "the account's home can not be reached")
      this.#edge.forget(login.jid)
      if (isRetry) await setTimeout(LOOK_AGAIN_MS)
      isRetry = true // the first time it was released a moment ago
    }
  }

  /** The node's answer; undefined where it does not own the account, or is gone. */
  async #enter (home: NodeId, login: Login, request: Request): Promise<EnterAnswer | undefined> {
    const link = this.#edge.link(home, this.#stream)
    let answer: EnterAnswer
    try {
      answer = await this.#edge.bus.ask(home, 'stream.enter', {
        ...this.#peer(),
        ...request,
        stream: link.id,
        account: login.jid.toString(),
        madeAt: login.madeAt,
        isAnonymous: false,
        transport: this.#stream.kind, lang: this.#stream.lang,
      })
    } catch (error) {
      link.lost(true) // whatever has come of it
      if (error instanceof NodeGone) return
      throw error
    }
    if (answer.jid === undefined) link.leave()
    if (answer.error) throw streamError(answer.error)
    if (!answer.isHome) return
    if (answer.jid !== undefined) this.#attach(link, Jid.parse(answer.jid))
    this.#answer = answer
    return answer
  }

  #attach (link: RemoteSessionLink, jid: Jid): void {
    if (this.#stream.isClosed) {
      link.lost(true)
      throw clientLeft()
    }
    link.bound(jid)
    this.#link = link
  }
}
