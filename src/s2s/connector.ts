/** Opens streams to the servers of other domains: one endpoint after the other until one has what is wanted. */
import type { Socket } from 'node:net'
import type { Authorities } from '../net/authorities.ts'
import type { Certificates } from '../net/certificates.ts'
import type { Shaper } from '../net/shaper.ts'
import { TcpTransport } from '../net/tcp.ts'
import { TlsClient } from '../net/tls.ts'
import type { WriteBarrier } from '../net/write-barrier.ts'
import type { StreamError } from '../xmpp/errors.ts'
import { connect } from './finding/connect.ts'
import type { Connection } from './finding/connect.ts'
import type { Endpoint } from './finding/endpoint.ts'
import { NotFound } from './finding/finder.ts'
import type { Finder } from './finding/finder.ts'
import { LinkError } from './link.ts'
import { ServerStream } from './server-stream.ts'
import type { ServerStreamParts, StreamProtocol } from './server-stream.ts'

/** What a stream that this server opens is for. */
export interface Opening<Result> extends StreamProtocol {
  /** Writes the stream header. */
  begin (): void
  /** Rejects with a LinkError; when the stream is lost, at the latest. */
  readonly done: Promise<Result>
}

export interface ConnectorParts extends Omit<ServerStreamParts, 'closed'> {
  readonly finder: Finder
  readonly barrier: WriteBarrier
  readonly shaper?: Shaper | undefined
  readonly certificates: Certificates
  readonly authorities: Authorities
}

/** The time for all: DNS, connecting, TLS, proof. */
const OPENING_MS = 30_000
/** Endpoints on which a stream is tried. */
const MAX_STREAMS = 3

interface Pair { readonly local: string, readonly remote: string }

export class Connector {
  readonly #parts: ConnectorParts
  readonly #streams = new Set<ServerStream>()
  readonly #openings = new Set<AbortController>()
  #isClosed = false
  readonly #closed = (stream: ServerStream): void => { this.#streams.delete(stream) }

  constructor (parts: ConnectorParts) {
    this.#parts = parts
  }

  /** All that are not over. */
  get streams (): ReadonlySet<ServerStream> { return this.#streams }

  /** Checks the deadlines of all. */
  check (): void {
    const now = this.#parts.now()
    for (const stream of this.#streams) stream.check(now)
  }

  /** Closes all streams, and opens no more. */
  close (error: StreamError): void {
    this.#isClosed = true
    for (const stream of this.#streams) stream.close(error)
    for (const opening of this.#openings) opening.abort(new LinkError('unreachable', 'this server is stopping'))
    this.#parts.finder.cancel()
  }

  /** The result of the first stream that `make` has use for; rejects with the LinkError of the last one. */
  async open<Result> (pair: Pair, make: (stream: ServerStream) => Opening<Result>): Promise<Result> {
    if (this.#isClosed) throw new LinkError('unreachable', 'this server is stopping')
    const opening = new AbortController()
    const late = setTimeout(() => { opening.abort(new LinkError('unreachable', 'it took too long')) }, OPENING_MS)
    this.#openings.add(opening)
    try {
      return await this.#open(pair, make, opening.signal)
    } finally {
      this.#openings.delete(opening)
      clearTimeout(late)
    }
  }

  async #open<Result> (
    pair: Pair, make: (stream: ServerStream) => Opening<Result>, signal: AbortSignal,
  ): Promise<Result> {
    let endpoints = await this.#find(pair.remote)
    let failure: unknown
    for (let tries = 0; tries < MAX_STREAMS && endpoints.length > 0; tries++) {
      signal.throwIfAborted()
      const connection = await this.#connect(endpoints, signal).catch((error: unknown) => {
        throw failure ?? error // that of a stream says more
      })
      try {
        return await this.#attempt(pair, connection, make, signal)
      } catch (error) {
        failure = error
      }
      endpoints = endpoints.filter(other => other !== connection.endpoint)
    }
    throw failure
  }

  #find (domain: string): Promise<readonly Endpoint[]> {
    return this.#parts.finder.find(domain).catch((error: Error) => {
      throw new LinkError(error instanceof NotFound ? 'not-found' : 'unreachable', error.message, { cause: error })
    })
  }

  #connect (endpoints: readonly Endpoint[], signal: AbortSignal): Promise<Connection> {
    return connect(endpoints, this.#parts.finder, signal).catch((error: Error) => {
      throw error instanceof LinkError ? error : new LinkError('unreachable', error.message, { cause: error })
    })
  }

  async #attempt<Result> (
    pair: Pair, { socket, endpoint }: Connection, make: (stream: ServerStream) => Opening<Result>, signal: AbortSignal,
  ): Promise<Result> {
    const transport = this.#transport(pair, socket, endpoint)
    const abort = (): void => { transport.destroy() }
    signal.addEventListener('abort', abort)
    try {
      if (endpoint.isDirectTls) await startTls(transport, pair.remote)
      return await this.#begin(transport, make)
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  #begin<Result> (transport: TcpTransport, make: (stream: ServerStream) => Opening<Result>): Promise<Result> {
    let opening!: Opening<Result>
    const { log, now, stanzaBytes } = this.#parts
    const stream = new ServerStream(transport, { log, now, stanzaBytes, closed: this.#closed },
      stream => opening = make(stream))
    this.#streams.add(stream)
    opening.begin()
    return opening.done
  }

  #transport ({ local }: Pair, socket: Socket, { isDirectTls }: Endpoint): TcpTransport {
    const { barrier, shaper, certificates, authorities } = this.#parts
    const tls = new TlsClient({ local, certificates, authorities, alpn: isDirectTls ? 'xmpp-server' : undefined })
    return new TcpTransport(socket, { barrier, shaper, tls })
  }
}

function startTls (transport: TcpTransport, domain: string): Promise<void> {
  return transport.startTls(domain).catch((error: Error) => { throw tlsFailure(error) })
}

/** What a failed handshake means. */
export function tlsFailure (reason: NodeJS.ErrnoException | undefined): LinkError {
  return new LinkError('unreachable', `TLS failed (${reason?.code ?? reason?.message ?? 'closed'})`, { cause: reason })
}
