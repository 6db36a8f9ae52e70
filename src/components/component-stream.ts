/**
 * XEP-0114: Jabber Component Protocol, the accepting side. A component proves with a hash of its secret that it is its
 * domain; from then on it speaks for all addresses of the domain, as another server does, but not for subdomains.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import type { Logger } from '../log.ts'
import { Acks } from '../s2s/acks.ts'
import { IncomingStanzas } from '../s2s/incoming-stanzas.ts'
import type { IncomingStanzasParts } from '../s2s/incoming-stanzas.ts'
import { ServerStream } from '../s2s/server-stream.ts'
import type { ServerStreamParts, StreamProtocol } from '../s2s/server-stream.ts'
import type { ProvenPair } from '../s2s/streams.ts'
import type { Transport } from '../net/transport.ts'
import type { StreamContent } from '../stream/framing.ts'
import { el, parseElement } from '../xml/element.ts'
import type { Frame, StreamStart } from '../xml/framer.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import { stanzaOf } from '../xmpp/read-stanza.ts'
import { errorReply, iq } from '../xmpp/stanza.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { Confirmations } from './confirmations.ts'
import type { Components, ComponentSettings } from './settings.ts'

export const NS_COMPONENT = 'jabber:component:accept'

const CONTENT: StreamContent = {
  ns: NS_COMPONENT, declarations: '', renaming: { from: NS_COMPONENT, to: NS_CLIENT }, isUnversioned: true,
}

/** Silence after which a component is pinged, so that a stream that is not used stays open, or is found broken. */
const IDLE_MS = 5 * 60_000

export interface ComponentStreamParts extends IncomingStanzasParts, ServerStreamParts {
  readonly components: Components
  /** The hosts served. */
  readonly hosts: readonly string[]
  /** The component has proven itself. */
  readonly connected: (stream: ComponentStream) => void
  /** The stream of a component that had proven itself is over. */
  readonly disconnected: (stream: ComponentStream, reason: Error | undefined) => void
  /** Whether the component of that domain has ever answered a ping; `answered` says that it has now. */
  readonly answersPings: (domain: string) => boolean
  readonly answered: (domain: string) => void
  readonly log: Logger
  /** How long a ping may take, in milliseconds. */
  readonly pingMs?: number | undefined
}

export class ComponentStream implements StreamProtocol {
  readonly stream: ServerStream
  readonly #parts: ComponentStreamParts
  #domain = ''
  #pair: ProvenPair | undefined
  #settings: ComponentSettings | undefined
  #stanzas: IncomingStanzas | undefined
  #confirmations: Confirmations | undefined
  #sentAt: number

  private constructor (stream: ServerStream, parts: ComponentStreamParts) {
    this.stream = stream
    this.#parts = parts
    this.#sentAt = parts.now()
  }

  /** Serves a new connection. */
  static accept (transport: Transport, parts: ComponentStreamParts): ComponentStream {
    let component: ComponentStream | undefined
    const stream = new ServerStream(transport, parts, stream => component = new ComponentStream(stream, parts), CONTENT)
    return component ?? new ComponentStream(stream, parts)
  }

  /** The component's, once it has proven itself. */
  get domain (): string { return this.#domain }
  get isOpen (): boolean { return this.#stanzas !== undefined && !this.stream.isClosed }
  get address (): string { return this.stream.transport.remoteAddress }
  get tls (): string | undefined { return this.stream.transport.secure?.protocol }
  /** For the administrator: it may send to any domain. */
  get pair (): ProvenPair | undefined { return this.#pair }

  // XEP-0114 §3: `to` is the component.
  opened ({ to }: StreamStart): void {
    const domain = to === undefined ? undefined : Jid.tryParse(to)
    const settings = domain?.isDomain && Object.hasOwn(this.#parts.components, domain.domain)
      ? this.#parts.components[domain.domain] : undefined
    if (!domain || !settings) throw this.#refused(new StreamError('host-unknown', 'no component here'), to)
    this.#domain = domain.domain
    this.#settings = settings
    this.stream.writeHeader({ id: this.stream.id, from: domain.domain, to: undefined })
  }

  take (frame: Frame): void | Promise<void> {
    if (!this.#stanzas) return this.#prove(frame)
    if (frame.ns !== NS_CLIENT) throw new StreamError('unsupported-stanza-type', `<${frame.name}/> is not supported`)
    const from = frame.from === undefined ? undefined : Jid.tryParse(frame.from)
    if (frame.from !== undefined && from?.domain !== this.#domain) { // RFC 6120 §4.9.3.9
      throw new StreamError('invalid-from', `not an address at ${this.#domain}`)
    }
    if (frame.to === undefined) return this.#refuseUnaddressed(frame, from ?? Jid.parse(this.#domain))
    return this.#stanzas.take(from ? frame : { ...frame, from: this.#domain })
  }

  #prove (frame: Frame): void {
    const isProven = frame.name === 'handshake' && frame.ns === NS_CLIENT &&
      isEqual(parseElement(frame).text(), hash('sha1', `${this.stream.id}${this.#settings?.secret}`))
    if (!isProven) throw this.#refused(new StreamError('not-authorized', 'the secret is wrong'), this.#domain)
    const domain = this.#domain
    const parts = this.#parts
    const local = hostFor(domain, parts.hosts)
    const pair = this.#pair = {
      local, remote: domain, provenBy: 'secret', direction: 'both', tls: this.tls, address: this.address, received: 0,
      sent: 0, link: undefined,
    } satisfies ProvenPair
    this.#confirmations = new Confirmations({
      from: Jid.parse(local), to: Jid.parse(domain), pingMs: parts.pingMs,
      send: ping => { this.stream.write(ping) },
      drained: () => this.stream.drained(),
      answersPings: () => parts.answersPings(domain),
      silent: () => {
        parts.log.warn({ event: 'component.silent', domain, stream: this.stream.id },
          'component: it answers no pings, so what is written to it counts as received')
      },
      dead: () => { this.stream.close(new StreamError('connection-timeout', 'the component did not answer')) },
    })
    const { router, log } = parts
    this.#stanzas = new IncomingStanzas({
      router: {
        route: stanza => this.#takePong(stanza) ? undefined : router.route(stanza),
        bounce: (stanza, error) => router.bounce(stanza, error),
        isServed: router.isServed,
      }, log,
    }, { pair: () => pair }, new Acks(() => {}))
    this.stream.establish()
    this.stream.writeElement(el('handshake', NS_COMPONENT))
    parts.connected(this)
  }

  #takePong (answer: Stanza): boolean {
    if (answer.kind !== 'iq' || !this.#confirmations?.take(answer)) return false
    this.#parts.answered(this.#domain)
    return true
  }

  /** Components often leave it out by mistake: that costs the stanza. */
  #refuseUnaddressed (frame: Frame, from: Jid): void {
    if (frame.type === 'error' || frame.type === 'result') return
    const to = Jid.parse(hostFor(this.#domain, this.#parts.hosts))
    const sent = frame.name === 'iq' ? iq('get', { from, to, id: frame.id })
      : stanzaOf({ ...frame, type: undefined }, from, to, undefined)
    if (!sent) throw new StreamError('unsupported-stanza-type', `<${frame.name}/> is not supported`)
    this.stream.write(errorReply(sent, new StanzaError('bad-request', 'a component\'s stanza needs a "to" address')))
  }

  // ——— to the component

  send (stanza: Stanza): void {
    if (this.#pair) this.#pair.sent++
    this.#sentAt = this.#parts.now()
    this.#confirmations?.sent()
    this.stream.write(stanza)
  }

  drained (): Promise<void> | undefined {
    return this.stream.drained()
  }

  /** Resolves when the component has read what was sent so far. */
  confirm (): Promise<void> {
    return this.#confirmations?.confirm() ?? Promise.resolve()
  }

  // ——— the end

  closed (): void {}

  lost (reason: Error | undefined): void {
    this.#confirmations?.lost(reason ?? new Error('the component has disconnected'))
    if (this.#stanzas) this.#parts.disconnected(this, reason)
  }

  /** Checks the deadlines. */
  check (now: number): void {
    this.stream.check(now)
    if (!this.isOpen || now - this.#sentAt < IDLE_MS) return
    this.#sentAt = now
    this.#confirmations?.ping()
  }

  #refused (error: StreamError, name: string | undefined): StreamError {
    this.#parts.log.warn({
      event: 'component.refused', domain: name?.slice(0, 1023), address: this.address, reason: error.condition,
    }, 'component: a connection is refused')
    return error
  }
}

/** The host that the component belongs to by its name, or else the first. */
export function hostFor (domain: string, hosts: readonly string[]): string {
  return hosts.find(host => domain.endsWith(`.${host}`)) ?? hosts[0] ?? domain
}

function isEqual (text: string, expected: string): boolean {
  const [one, other] = [Buffer.from(text), Buffer.from(expected)]
  return one.length === other.length && timingSafeEqual(one, other)
}
