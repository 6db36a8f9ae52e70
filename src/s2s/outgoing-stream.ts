/**
 * A stream that this server opens for one pair of domains: it proves both ends, by certificate (SASL EXTERNAL,
 * XEP-0178) or dialback (XEP-0220), asks for the other direction (XEP-0288) and for stream management (XEP-0198), and
 * becomes a link.
 */
import type { ServerRequests } from '../routing/server-requests.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Frame } from '../xml/framer.ts'
import { StreamError } from '../xmpp/errors.ts'
import { NS_CLIENT, NS_DIALBACK, NS_SASL } from '../xmpp/ns.ts'
import { Acks, NS_SM } from './acks.ts'
import { dialbackAnswer, dialbackElement, NS_DIALBACK_FEATURE, readDialback } from './dialback.ts'
import { IncomingStanzas } from './incoming-stanzas.ts'
import type { IncomingStanzasParts } from './incoming-stanzas.ts'
import { Initiator } from './initiator.ts'
import { LinkError } from './link.ts'
import type { Link } from './link.ts'
import type { ServerStream } from './server-stream.ts'
import type { DomainPolicy } from './settings.ts'
import { StreamLink } from './stream-link.ts'
import { StreamPairs } from './streams.ts'
import type { ProvenPair, Streams } from './streams.ts'
import { NS_BIDI, NS_BIDI_FEATURE } from './incoming-stream.ts'
import { certificateProblem } from './trust/certificate-problem.ts'
import { dialbackKey } from './trust/dialback-key.ts'

export interface OutgoingStreamParts extends IncomingStanzasParts {
  readonly policy: DomainPolicy
  readonly requests: ServerRequests
  readonly streams: Streams
  /** Of the whole installation, for keys of dialback. */
  readonly secret: Buffer
}

/** What the other server has to say next. */
type Awaited = 'features' | 'sasl' | 'dialback' | 'stream management' | 'nothing'

/** Conditions of XEP-0220 §2.5 that trying again will hardly mend, and those that may be over soon. */
const REFUSED: readonly unknown[] = ['item-not-found', 'policy-violation', 'not-authorized', 'forbidden', 'not-allowed']
const PASSING: readonly unknown[] = [
  'remote-connection-failed', 'remote-server-not-found', 'remote-server-timeout', 'resource-constraint',
]

export class OutgoingStream extends Initiator<Link> {
  readonly #parts: OutgoingStreamParts
  readonly #pairs: StreamPairs
  readonly #acks: Acks
  readonly #stanzas: IncomingStanzas
  #awaited: Awaited = 'features'
  #offersStreamManagement = false
  #offersDialback = false
  #isBidirectional = false
  /** How the other server has proven who it is. */
  #provenBy: 'certificate' | 'dialback' = 'certificate'
  #pair: ProvenPair | undefined
  #link: StreamLink | undefined

  constructor (stream: ServerStream, local: string, remote: string, parts: OutgoingStreamParts) {
    super(stream, local, remote)
    this.#parts = parts
    this.#pairs = new StreamPairs(stream, parts)
    this.#acks = new Acks(element => { stream.writeElement(element) })
    this.#stanzas = new IncomingStanzas(parts, this.#pairs, this.#acks)
  }

  // ——— proof

  protected override negotiate (features: Element): void {
    if (this.#awaited !== 'features') return
    this.#offersStreamManagement = features.getChild('sm', NS_SM) !== undefined
    this.#offersDialback = features.getChild('dialback', NS_DIALBACK_FEATURE) !== undefined
    if (this.#pair) return this.#manage()
    const problem = certificateProblem(this.stream.transport.secure?.peer, this.remote)
    if (problem !== undefined) {
      if (this.#parts.policy.trustOf(this.remote) !== 'dialback') return this.#distrust(problem)
      this.#provenBy = 'dialback' // whom the DNS names
    }
    if (features.getChild('bidi', NS_BIDI_FEATURE)) {
      this.#isBidirectional = true
      this.stream.writeElement(el('bidi', NS_BIDI))
    }
    const mechanisms = features.getChild('mechanisms', NS_SASL)?.getChildren('mechanism') ?? []
    if (mechanisms.some(mechanism => mechanism.text().trim() === 'EXTERNAL')) this.#authenticate()
    else this.#callBack()
  }

  #distrust (problem: string): void {
    this.end('refused', `the certificate ${problem}`, new StreamError('not-authorized', `the certificate ${problem}`))
  }

  // The identity is what older servers insist on (XEP-0178 §3).
  #authenticate (): void {
    this.#awaited = 'sasl'
    this.stream.writeElement(el('auth', NS_SASL, { mechanism: 'EXTERNAL' }, this.#identity))
  }

  get #identity (): string {
    return Buffer.from(this.local).toString('base64')
  }

  #takeSasl ({ name }: Frame): void {
    if (name === 'challenge') return this.stream.writeElement(el('response', NS_SASL, {}, this.#identity))
    if (name !== 'success') {
      const reason = "it does not accept this server's certificate"
      if (!this.#offersDialback) return this.end('refused', reason)
      this.failure = new LinkError('refused', reason)
      return this.#callBack()
    }
    this.#proven()
    this.#awaited = 'features'
    this.stream.restart() // RFC 6120 §6.4.6
    this.begin()
  }

  /** Whether the other server believes a key is its business: this one has checked it already. */
  #callBack (): void {
    this.#awaited = 'dialback'
    const { local, remote } = this
    const key = dialbackKey(this.#parts.secret, remote, local, this.streamId)
    this.stream.writeElement(dialbackElement({ name: 'result', from: local, to: remote, key }))
  }

  #takeDialback (frame: Frame): void {
    const said = readDialback(frame)
    // The other server may ask for more pairs on a stream of both directions (XEP-0288 §2.2); it can open its own.
    if (said.type === undefined) return this.stream.writeElement(dialbackAnswer(said, 'error', 'policy-violation'))
    const isAnswer = said.name === 'result' && said.from === this.remote && said.to === this.local
    if (this.#awaited !== 'dialback' || !isAnswer) throw new StreamError('invalid-from', 'an answer without a question')
    if (said.type === 'invalid') return this.end('refused', 'it does not accept the dialback key of this server')
    if (said.type === 'error') return this.#dialbackFailed(said.condition)
    this.failure = undefined
    this.#proven()
    this.#manage()
  }

  #dialbackFailed (condition: string | undefined): void {
    const known = REFUSED.includes(condition) || PASSING.includes(condition) ? `: ${condition}` : ' with an error'
    this.end(REFUSED.includes(condition) ? 'refused' : 'unreachable', `it answers dialback${known}`)
  }

  #proven (): void {
    const direction = this.#isBidirectional ? 'both' : 'out'
    this.#pair = this.#pairs.prove(this.local, this.remote, this.#provenBy, direction)
  }

  // ——— stream management, then the link

  #manage (): void {
    if (!this.#offersStreamManagement) return this.#ready()
    this.#awaited = 'stream management'
    this.stream.writeElement(el('enable', NS_SM))
  }

  #takeStreamManagement (frame: Frame): void {
    if (this.#awaited !== 'stream management') return this.#acks.take(frame)
    if (frame.name === 'enabled') this.#acks.start()
    this.#ready()
  }

  #ready (): void {
    this.#awaited = 'nothing'
    if (!this.#pair) return
    this.#link = new StreamLink(this.#pair, this.stream, this.#acks, this.#parts.requests)
    this.#pair.link = this.#link
    this.resolve(this.#link)
  }

  // ——— elements

  protected override takeElement (frame: Frame): void | Promise<void> {
    switch (frame.ns) {
      case NS_CLIENT: return this.#takeStanza(frame)
      case NS_SM: return this.#takeStreamManagement(frame)
      case NS_DIALBACK: return this.#takeDialback(frame)
      case NS_SASL: if (this.#awaited === 'sasl') return this.#takeSasl(frame)
    }
    throw new StreamError('unsupported-stanza-type', `<${frame.name}/> is not supported`)
  }

  #takeStanza (frame: Frame): void | Promise<void> {
    if (!this.#isBidirectional || !this.#pair) throw new StreamError('not-authorized', 'this stream is one-way')
    return this.#stanzas.take(frame)
  }

  protected override over (reason: LinkError): void {
    this.#pairs.clear()
    this.#acks.lost(reason)
    this.#link?.lose(reason)
  }
}
