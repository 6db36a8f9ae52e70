/** Opens streams to the servers of other domains: one endpoint after the other until one has what is wanted. */
import type { Socket } from 'node:net'
import type { Authorities } from '../net/authorities.ts'
import type { Certificates } from '../net/certificates.ts'
import type { Shaper } from '../net/shaper.ts'
import { TcpTransport } from '../net/tcp.ts'
import { TlsClient } from '../net/tls.ts'
import type { WriteBarrier } from '../net/write-barrier.ts'
import { StreamError } from '../xmpp/errors.ts'
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

  close (error: StreamError): void {
    for (const stream of this.#streams) stream.close(error)
  }

  /** The result of the first stream that `make` has use for; rejects with the LinkError of the last one. */
  async open<Result> (pair: Pair, make: (stream: ServerStream) => Opening<Result>): Promise<Result> {
    const until = performance.now() + OPENING_MS
    let endpoints = await this.#find(pair.remote)
    let failure: unknown
    for (let tries = 0; tries < MAX_STREAMS && endpoints.length > 0; tries++) {
      const connection = await this.#connect(endpoints, until - performance.now()).catch((error: unknown) => {
        throw failure ?? error // that of a stream says more
      })
      try {
        return await this.#attempt(pair, connection, until - performance.now(), make)
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

  #connect (endpoints: readonly Endpoint[], ms: number): Promise<Connection> {
    return connect(endpoints, this.#parts.finder, ms).catch((error: Error) => {
      throw new LinkError('unreachable', error.message, { cause: error })
    })
  }

  async #attempt<Result> (
    pair: Pair, { socket, endpoint }: Connection, ms: number, make: (stream: ServerStream) => Opening<Result>,
  ): Promise<Result> {
    const transport = this.#transport(pair, socket, endpoint)
    let end = (): void => { transport.destroy() }
    const late = setTimeout(() => { end() }, ms)
    try {
      if (endpoint.isDirectTls) await startTls(transport, pair.remote)
      let opening!: Opening<Result>
      const { log, now, stanzaBytes } = this.#parts
      const stream = new ServerStream(transport, { log, now, stanzaBytes, closed: this.#closed },
        stream => opening = make(stream))
      end = () => { stream.close(new StreamError('connection-timeout', 'the stream was not opened in time')) }
      this.#streams.add(stream)
      opening.begin()
      return await opening.done
    } finally {
      clearTimeout(late)
    }
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
