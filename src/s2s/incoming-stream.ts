/**
 * A stream that another server has opened (RFC 6120 §4 to §6): TLS comes first, then the proof of who it is, by its
 * certificate (SASL EXTERNAL, XEP-0178) or by dialback (XEP-0220), and then stanzas of the pairs that were proven.
 */
import type { ServerRequests } from '../routing/server-requests.ts'
import { limitsFeature } from '../stream/features.ts'
import { randomId } from '../util/ids.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Frame, StreamStart } from '../xml/framer.ts'
import { StreamError } from '../xmpp/errors.ts'
import { NS_CLIENT, NS_DIALBACK, NS_SASL, NS_TLS } from '../xmpp/ns.ts'
import { Acks, failed, NS_SM } from './acks.ts'
import { dialbackAnswer, domainOf, NS_DIALBACK_FEATURE, readDialback } from './dialback.ts'
import { External } from './external.ts'
import { IncomingDialback } from './incoming-dialback.ts'
import type { IncomingDialbackParts, VerifiedStream } from './incoming-dialback.ts'
import { IncomingStanzas } from './incoming-stanzas.ts'
import type { IncomingStanzasParts } from './incoming-stanzas.ts'
import type { ServerStream, StreamProtocol } from './server-stream.ts'
import { linkErrorOf, StreamLink } from './stream-link.ts'
import { StreamPairs } from './streams.ts'
import type { Proof, Streams } from './streams.ts'
import { certificateProblem } from './trust/certificate-problem.ts'

/** XEP-0288: the element and the stream feature. */
export const NS_BIDI = 'urn:xmpp:bidi'
export const NS_BIDI_FEATURE = 'urn:xmpp:features:bidi'

export interface IncomingStreamParts extends IncomingStanzasParts, IncomingDialbackParts {
  readonly requests: ServerRequests
  readonly streams: Streams
  readonly stanzaBytes: number
  /** Called with each domain that was proven: its server can be reached again, perhaps. */
  readonly proven: (remote: string) => void
}

/** The most pairs of a stream. */
const MAX_PAIRS = 100
/** The stream ends after so many refused pairs: each is a line in the log. */
const MAX_REFUSED = 20

export class IncomingStream implements StreamProtocol, VerifiedStream {
  readonly #stream: ServerStream
  readonly #parts: IncomingStreamParts
  readonly #pairs: StreamPairs
  readonly #links: StreamLink[] = []
  readonly #acks: Acks
  readonly #stanzas: IncomingStanzas
  readonly #dialback: IncomingDialback
  #streamId = ''
  /** The domains of the stream header. */
  #local: string | undefined
  #remote: string | undefined
  #external: External | undefined
  /** By SASL; the proof counts from the header of the next stream on. */
  #isAuthenticated = false
  #isBidirectional = false
  #refused = 0

  constructor (stream: ServerStream, parts: IncomingStreamParts) {
    this.#stream = stream
    this.#parts = parts
    this.#pairs = new StreamPairs(stream, parts)
    this.#acks = new Acks(element => { stream.writeElement(element) })
    this.#stanzas = new IncomingStanzas(parts, this.#pairs, this.#acks)
    this.#dialback = new IncomingDialback(parts, this)
  }

  get streamId (): string { return this.#streamId }
  get address (): string { return this.#stream.transport.remoteAddress }
  get isClosed (): boolean { return this.#stream.isClosed }
  get isProven (): boolean { return this.#pairs.size > 0 }

  // ——— the stream header

  opened (start: StreamStart): void {
    const [local, remote] = [domainOf(start.to), domainOf(start.from)]
    const isServed = local !== undefined && this.#parts.isServed(local)
    const isSame = local === this.#local && remote === this.#remote
    this.#streamId = randomId() // §4.3.3: each stream has its own
    this.#local = local
    this.#remote = remote
    this.#stream.writeHeader({ id: this.#streamId, from: isServed ? local : undefined, to: remote })
    if (!/^[1-9][0-9]*\.[0-9]+$/.test(start.version ?? '')) throw new StreamError('unsupported-version') // §4.7.5
    if (local === undefined || remote === undefined) { // §4.7.1, §4.7.2
      throw new StreamError('improper-addressing', 'the header needs the domains of both servers')
    }
    if (!isServed) throw new StreamError('host-unknown') // §4.9.3.6
    this.#checkRemote(remote)
    if (this.#isAuthenticated && !isSame) throw new StreamError('invalid-from', 'you proved another one')
    this.#stream.writeFeatures(this.#features(remote))
    if (this.#isAuthenticated) this.prove(local, remote, 'certificate')
  }

  #checkRemote (remote: string): void {
    const { isServed, policy } = this.#parts
    if (isServed(remote)) throw new StreamError('invalid-from', 'this is the server of that domain')
    if (!policy.isAllowed(remote)) throw new StreamError('policy-violation', 'there is no federation with your domain')
  }

  /** RFC 6120 §5.3.1: where TLS is not active yet, it is the only one. */
  #features (remote: string): readonly Element[] {
    if (!this.#stream.transport.secure) return [el('starttls', NS_TLS, {}, el('required', NS_TLS))]
    const later = [
      el('dialback', NS_DIALBACK_FEATURE, {}, el('errors', NS_DIALBACK_FEATURE)),
      el('sm', NS_SM),
      limitsFeature({ stanzaBytes: this.#parts.stanzaBytes, idleSeconds: 0 }),
    ]
    if (this.#isAuthenticated) return later
    const problem = this.certificateProblem(remote)
    if (problem !== undefined && this.#parts.policy.trustOf(remote) !== 'dialback') {
      throw new StreamError('not-authorized', `the certificate ${problem}`)
    }
    this.#external = new External(remote, problem)
    const { feature } = this.#external
    return [...(feature ? [feature] : []), el('bidi', NS_BIDI_FEATURE), ...later]
  }

  // ——— elements

  take (frame: Frame): void | Promise<void> {
    if (frame.ns === NS_TLS) return this.#takeTls(frame)
    if (!this.#stream.transport.secure) return this.#refuseWithoutTls(frame)
    switch (frame.ns) {
      case NS_CLIENT: return this.#takeStanza(frame)
      case NS_SM: return this.#takeAcks(frame)
      case NS_SASL: return this.#takeSasl(frame)
      case NS_DIALBACK: return this.#dialback.take(frame)
      case NS_BIDI: return this.#takeBidi()
    }
    throw new StreamError('unsupported-stanza-type', `<${frame.name}/> is not supported`)
  }

  #takeStanza (frame: Frame): void | Promise<void> {
    if (!this.isProven) throw new StreamError('not-authorized', 'prove who you are first') // RFC 6120 §4.9.3.12
    return this.#stanzas.take(frame)
  }

  // RFC 6120 §5.4.
  #takeTls (frame: Frame): void | Promise<void> {
    const stream = this.#stream
    if (frame.name !== 'starttls' || stream.transport.secure || stream.hasMore) {
      stream.writeElement(el('failure', NS_TLS)) // §5.4.2.2
      return stream.close()
    }
    stream.writeElement(el('proceed', NS_TLS))
    return stream.startTls(this.#local ?? '').catch((err: unknown) => {
      this.#parts.log.debug({ event: 'tls.handshake_failed', err, address: this.address }, 'tls: handshake failed')
      stream.close()
    })
  }

  /** XEP-0220 §2.5: dialback without TLS is refused with an error of its own. */
  #refuseWithoutTls (frame: Frame): void {
    if (frame.ns !== NS_DIALBACK) throw new StreamError('policy-violation', 'TLS is required')
    const asked = readDialback(frame)
    this.refused(asked.to, asked.from, 'dialback without TLS')
    this.#stream.writeElement(dialbackAnswer(asked, 'error', 'policy-violation'))
  }

  #takeSasl (frame: Frame): void {
    if (!this.#external || this.#isAuthenticated || this.isProven) {
      throw new StreamError('policy-violation', 'there is nothing left to prove')
    }
    const reply = this.#external.take(frame)
    if (reply.getName() !== 'success') return this.#stream.writeElement(reply)
    this.#isAuthenticated = true
    this.#stream.writeElement(reply)
    this.#stream.restart() // RFC 6120 §6.4.6
  }

  /** XEP-0288 §2.2: before the proof, so that each proven pair has a link. */
  #takeBidi (): void {
    if (this.#isAuthenticated || this.isProven) {
      throw new StreamError('policy-violation', '<bidi/> comes before the proof')
    }
    this.#isBidirectional = true
  }

  #takeAcks (frame: Frame): void | Promise<void> {
    if (frame.name === 'resume') return this.writeElement(failed('feature-not-implemented'))
    if (frame.name !== 'enable') return this.#acks.take(frame)
    if (!this.isProven || this.#acks.isEnabled) return this.writeElement(failed('unexpected-request'))
    const before = this.#stanzas.settled() // what came before does not count
    return before ? before.then(() => { this.#enableAcks() }) : this.#enableAcks()
  }

  #enableAcks (): void {
    this.writeElement(el('enabled', NS_SM))
    this.#acks.start()
  }

  // ——— proof

  certificateProblem (remote: string): string | undefined {
    return certificateProblem(this.#stream.transport.secure?.peer, remote)
  }

  hasPair (local: string, remote: string): boolean {
    return this.#pairs.pair(local, remote) !== undefined
  }

  prove (local: string, remote: string, provenBy: Proof): boolean {
    if (this.hasPair(local, remote)) return true
    if (this.#pairs.size >= MAX_PAIRS) return false
    const pair = this.#pairs.prove(local, remote, provenBy, this.#isBidirectional ? 'both' : 'in')
    if (this.#isBidirectional) {
      this.#parts.streams.link(local, remote)?.doubt() // a server that has lost a stream opens another
      this.#links.push(pair.link = new StreamLink(pair, this.#stream, this.#acks, this.#parts.requests))
    }
    this.#parts.proven(remote)
    return true
  }

  writeElement (element: Element): void { this.#stream.writeElement(element) }
  close (): void { this.#stream.close() }

  refused (local: string, remote: string, reason: string): void {
    this.#logRefusal(local, remote, reason)
    if (++this.#refused >= MAX_REFUSED) {
      this.#stream.close(new StreamError('policy-violation', 'too many domains were refused'))
    }
  }

  #logRefusal (local: string | undefined, remote: string | undefined, reason: string): void {
    this.#parts.log.info({
      event: 'federation.refused', stream: this.#stream.id, local, remote, reason, address: this.address,
    }, 'federation: refused')
  }

  // ——— the end

  closed (): void {}

  lost (reason: Error | undefined): Promise<void> | undefined {
    if (reason instanceof StreamError && !this.#isExpected(reason)) {
      this.#logRefusal(this.#local, this.#remote, `${reason.condition}: ${reason.message}`)
    }
    this.#pairs.clear()
    const error = linkErrorOf(reason)
    this.#acks.lost(error)
    for (const link of this.#links) link.lose(error)
    return this.#stanzas.settled()
  }

  /** Whether the end is no refusal: a stream for keys alone proves nothing. */
  #isExpected ({ condition }: StreamError): boolean {
    return condition === 'system-shutdown' || (condition === 'connection-timeout' && this.#dialback.hasAnswered)
  }
}
