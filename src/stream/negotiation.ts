/**
 * Stream negotiation, from the header to a bound session (RFC 6120 §4.3): TLS, login by either SASL profile, binding in
 * either way. Discarded once the client is bound.
 */
import type { StreamPeer } from '../extension/requests.ts'
import type { Transport } from '../net/transport.ts'
import type { IqTable } from '../routing/iq-table.ts'
import { el, parseElement } from '../xml/element.ts'
import type { Frame } from '../xml/framer.ts'
import { StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT, NS_SASL, NS_SESSION, NS_TLS } from '../xmpp/ns.ts'
import { stanzaOf } from '../xmpp/read-stanza.ts'
import { result } from '../xmpp/stanza.ts'
import type { Iq } from '../xmpp/stanza.ts'
import { Authenticator } from './sasl/authenticator.ts'
import type { Outcome } from './sasl/authenticator.ts'
import { LocalBinder } from './binder.ts'
import type { BinderParts, SessionBinder } from './binder.ts'
import type { FoundCredentials, Login } from './sasl/exchange.ts'
import { featuresBeforeLogin } from './features.ts'
import type { AdvertisedLimits } from './features.ts'
import type { Framing } from './framing.ts'
import type { Edge, EdgeStream } from './remote/edge.ts'
import type { LoginLimits } from './sasl/login-limits.ts'
import { makeOffer } from './sasl/mechanisms.ts'
import { RemoteBinder } from './remote/remote-binder.ts'
import { Sasl } from './sasl/sasl.ts'
import { NS_SASL2, Sasl2 } from './sasl/sasl2.ts'
import type { SessionLink } from './session-link.ts'

export interface NegotiationParts extends BinderParts {
  readonly hosts: readonly string[]
  readonly iqs: IqTable
  readonly loginLimits: LoginLimits
  readonly credentials: (account: Jid) => Promise<FoundCredentials | undefined>
  readonly requireTls: boolean
  readonly allowsAnonymous: boolean
  readonly limits: AdvertisedLimits & { readonly loginSeconds: number }
  /** Access to sessions on other nodes, in a cluster. */
  readonly edge?: Edge | undefined
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

export class Negotiation {
  readonly #transport: Transport
  readonly #framing: Framing
  readonly #parts: NegotiationParts
  readonly #host: string
  readonly #bound: (link: SessionLink) => void
  readonly #stream: EdgeStream
  #from: Jid | undefined
  #sasl: { readonly old: Sasl, readonly new: Sasl2 } | undefined
  #login: Login | undefined
  readonly #binder: SessionBinder
  /** Whether the client has to restart its stream: at first, after TLS, and after a SASL login. */
  expectsHeader = true

  constructor (
    transport: Transport, framing: Framing, parts: NegotiationParts, host: string, bound: (link: SessionLink) => void,
    stream: EdgeStream,
  ) {
    this.#transport = transport
    this.#framing = framing
    this.#parts = parts
    this.#host = host
    this.#bound = bound
    this.#stream = stream
    const binder = new LocalBinder(parts, stream)
    this.#binder = parts.edge ? new RemoteBinder(binder, parts, parts.edge, stream, () => this.#peer) : binder
  }

  /** The session link, while the client has not been told of it. */
  get link (): SessionLink | undefined {
    return this.#binder.link
  }

  get #isEncrypted (): boolean {
    return this.#transport.secure !== undefined || this.#transport.mayBePlain
  }

  get #peer (): StreamPeer {
    return { host: this.#host, remoteAddress: this.#transport.remoteAddress, isSecure: this.#isEncrypted }
  }

  /** A stream header: offers the features of this state. */
  opened (from: string | undefined): void {
    this.expectsHeader = false
    this.#from = from === undefined ? undefined : Jid.tryParse(from)
    if (this.#login) this.#offerAfterLogin()
    else this.#offerBeforeLogin()
  }

  #offerBeforeLogin (): void {
    const { parts, transport } = { parts: this.#parts, transport: this.#transport }
    const offer = makeOffer({
      secure: transport.secure, isEncrypted: this.#isEncrypted, allowsAnonymous: parts.allowsAnonymous,
    })
    const mayLogIn = this.#isEncrypted || !parts.requireTls
    if (mayLogIn) {
      const authenticator = new Authenticator({
        domain: this.#host, from: this.#from, secure: transport.secure, offer, secret: parts.secret,
        find: local => parts.credentials(Jid.of(local, this.#host)),
        limits: parts.loginLimits, address: transport.remoteAddress, isGone: () => this.#stream.isClosed,
      })
      this.#sasl = {
        old: new Sasl(authenticator),
        new: new Sasl2(authenticator, (l, r) => this.#binder.complete(l, r)),
      }
    }
    this.#framing.writeStreamElement('features', featuresBeforeLogin({
      stream: this.#peer, offer, mayStartTls: transport.startTls !== undefined && !transport.secure,
      requireTls: parts.requireTls, limits: parts.limits,
    }, parts.streams))
  }

  #offerAfterLogin (): void {
    this.#framing.writeStreamElement('features', this.#binder.features(this.#peer))
  }

  take (frame: Frame): void | Promise<void> {
    if (this.expectsHeader) throw new StreamError('bad-format', 'a new stream was expected') // RFC 6120 §6.4.6
    if (frame.ns === NS_CLIENT) return this.#takeStanza(frame)
    if (this.#login) return this.#takeResume(frame, this.#login)
    if (frame.ns === NS_TLS) return this.#takeStartTls(frame)
    if (frame.ns === NS_SASL || frame.ns === NS_SASL2) return this.#takeSasl(frame)
    return this.#takeResume(frame, undefined)
  }

  // RFC 6120 §5.4.
  #takeStartTls (frame: Frame): void | Promise<void> {
    const { startTls, secure } = this.#transport
    if (frame.name !== 'starttls' || !startTls || secure || this.#framing.buffered > 0) {
      this.#framing.writeElement(el('failure', NS_TLS)) // §5.4.2.2; later bytes could be an attacker's (§5.4.3.3)
      return this.#stream.close()
    }
    this.#framing.writeElement(el('proceed', NS_TLS))
    return startTls.call(this.#transport, this.#host).then(() => {
      this.#framing.reset()
      this.expectsHeader = true
    }, () => { this.#stream.close() }) // the client's mistake, which ends its connection
  }

  async #takeSasl (frame: Frame): Promise<void> {
    if (!this.#sasl) { // TLS comes first
      this.#framing.writeElement(el('failure', frame.ns, {}, el('encryption-required', NS_SASL)))
      return
    }
    const element = parseElement(frame)
    if (frame.ns === NS_SASL) this.#answer(await this.#sasl.old.take(element), true)
    else this.#answer(await this.#sasl.new.take(element), false)
  }

  #answer (outcome: Outcome, isOldProfile: boolean): void {
    this.#framing.writeElement(outcome.reply)
    const address = this.#transport.remoteAddress
    const { login } = outcome
    if (outcome.reply.getName() === 'failure') {
      const condition = outcome.reply.getChildElements()[0]?.getName()
      this.#parts.log.info({ event: 'login.failed', address, host: this.#host, condition }, 'login: failed')
    }
    if (outcome.end) {
      this.#parts.log.info(
        { event: 'login.limit_reached', address, host: this.#host },
        'login: too many failures on a stream',
      )
      throw outcome.end
    }
    if (!login) return
    this.#login = login
    this.#sasl = undefined
    this.#parts.log.debug({ event: 'login.succeeded', account: login.jid.toString(), address }, 'login: succeeded')
    if (isOldProfile) {
      this.#framing.reset()
      this.expectsHeader = true // RFC 6120 §6.4.6
      return
    }
    // XEP-0388 §2.6.3; XEP-0198 §9.2: none after a resumption.
    if (!this.#binder.isResumed) this.#offerAfterLogin()
    this.#enter()
  }

  #takeStanza (frame: Frame): void | Promise<void> {
    const login = this.#login
    if (frame.name !== 'iq') throw new StreamError('not-authorized') // RFC 6120 §4.9.3.12
    const request = stanzaOf(frame, undefined, undefined, undefined)
    if (request?.kind !== 'iq') return
    return login ? this.#takeBind(request, login) : this.#takeBeforeLogin(request)
  }

  /** Requests before the login, such as registration. */
  #takeBeforeLogin (request: Iq): void | Promise<void> {
    const { iqs, requireTls } = this.#parts
    if (!iqs.has(request, 'stream') || (requireTls && !this.#isEncrypted)) throw new StreamError('not-authorized')
    const host = Jid.parse(this.#host)
    return iqs.answer(request, ['stream'], host, host, this.#peer, answer => {
      this.#framing.writeStanza(answer)
    })
  }

  async #takeBind (request: Iq, login: Login): Promise<void> {
    if (request.type === 'set' && request.has('session', NS_SESSION)) return this.#framing.writeStanza(result(request))
    this.#framing.writeStanza(await this.#binder.bind(request, login))
    this.#enter()
  }

  async #takeResume (frame: Frame, login: Login | undefined): Promise<void> {
    const reply = await this.#binder.resume(parseElement(frame), login)
    if (!reply && !login) throw new StreamError('unsupported-stanza-type')
    if (!reply) throw new StreamError('not-authorized', 'a resource must be bound first') // RFC 6120 §7.1
    this.#framing.writeElement(reply)
    this.#enter()
  }

  /** The client has been told of its session, if there is one. */
  #enter (): void {
    const { link, isResumed } = this.#binder
    if (!link) return
    this.#bound(link)
    this.#parts.log.info({
      event: isResumed ? 'session.resumed' : 'session.bound',
      session: link.jid.toString(), address: this.#transport.remoteAddress, tls: this.#transport.secure?.protocol,
    }, isResumed ? 'session: resumed' : 'session: bound')
    this.#binder.activate()
  }
}
