/**
 * The streams of this node on which pairs of domains were proven: to send on a stream that is open already (XEP-0288),
 * and for `heliograph status`.
 */
import type { Logger } from '../log.ts'
import { Counters } from './counters.ts'
import type { Link } from './link.ts'
import type { ServerStream } from './server-stream.ts'
import type { StreamLink } from './stream-link.ts'

/** What proved a pair: for streams of components it is their secret. */
export type Proof = Link['provenBy']

/**
 * A pair of domains, one served here and one of the other server, that was proven on a stream. Stanzas of no other pair
 * are taken from that stream, or sent on it.
 */
export interface ProvenPair {
  readonly local: string
  readonly remote: string
  readonly provenBy: Proof
  /** Who opened the connection, seen from here; `both`: it carries stanzas in both directions. */
  readonly direction: 'in' | 'out' | 'both'
  /** The version of TLS (TLSv1.3). */
  readonly tls: string | undefined
  /** The other server's address. */
  readonly address: string
  /** Stanzas taken from the stream and sent on it. */
  received: number
  sent: number
  /** For stanzas to the other server, where the stream may carry them. */
  link: StreamLink | undefined
}

/** All of this node. */
export class Streams {
  readonly #pairs = new Map<string, Set<ProvenPair>>()
  readonly counters = new Counters()

  add (pair: ProvenPair): void {
    this.counters.proven++
    const key = keyOf(pair.local, pair.remote)
    const pairs = this.#pairs.get(key)
    if (pairs) pairs.add(pair)
    else this.#pairs.set(key, new Set([pair]))
  }

  remove (pair: ProvenPair): void {
    const key = keyOf(pair.local, pair.remote)
    const pairs = this.#pairs.get(key)
    if (!pairs?.delete(pair)) return
    if (pairs.size === 0) this.#pairs.delete(key)
    this.counters.received += pair.received
    this.counters.sent += pair.sent
  }

  /** An open link for stanzas of the pair: the oldest one. */
  link (local: string, remote: string): StreamLink | undefined {
    for (const { link } of this.#pairs.get(keyOf(local, remote)) ?? []) if (link?.isOpen) return link
  }

  * [Symbol.iterator] (): Iterator<ProvenPair> {
    for (const pairs of this.#pairs.values()) yield * pairs
  }
}

/** The pairs of one stream. */
export class StreamPairs {
  readonly #stream: ServerStream
  readonly #all: Streams
  readonly #log: Logger
  readonly #pairs = new Map<string, ProvenPair>()
  /** Most streams have one pair. */
  #last: ProvenPair | undefined

  constructor (stream: ServerStream, { streams, log }: { readonly streams: Streams, readonly log: Logger }) {
    this.#stream = stream
    this.#all = streams
    this.#log = log
  }

  get size (): number { return this.#pairs.size }

  /** The pair, where it was proven on this stream. */
  pair (local: string, remote: string): ProvenPair | undefined {
    if (this.#last?.local !== local || this.#last.remote !== remote) this.#last = this.#pairs.get(keyOf(local, remote))
    return this.#last
  }

  /** The peer has proven the pair: the limits of strangers end. */
  prove (local: string, remote: string, by: Proof, direction: ProvenPair['direction']): ProvenPair {
    const { remoteAddress: address, secure } = this.#stream.transport
    const tls = secure?.protocol
    const pair = { local, remote, provenBy: by, direction, tls, address, received: 0, sent: 0, link: undefined }
    this.#pairs.set(keyOf(local, remote), pair)
    this.#all.add(pair)
    this.#stream.establish()
    this.#log.info({
      event: 'federation.proven', stream: this.#stream.id, local, remote, direction, by, tls, address,
    }, 'federation: domain proven')
    return pair
  }

  /** The stream is over. */
  clear (): void {
    for (const pair of this.#pairs.values()) this.#all.remove(pair)
    this.#pairs.clear()
    this.#last = undefined
  }
}

function keyOf (local: string, remote: string): string {
  return `${local} ${remote}`
}
