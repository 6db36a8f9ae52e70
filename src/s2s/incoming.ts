/** The streams that other servers have opened to this node. */
import type { Transport } from '../net/transport.ts'
import type { StreamError } from '../xmpp/errors.ts'
import { IncomingStream } from './incoming-stream.ts'
import type { IncomingStreamParts } from './incoming-stream.ts'
import { ServerStream } from './server-stream.ts'

export interface IncomingStreamsParts extends IncomingStreamParts {
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

export class IncomingStreams {
  readonly #parts: IncomingStreamsParts
  readonly #streams = new Set<ServerStream>()
  readonly #closed = (stream: ServerStream): void => { this.#streams.delete(stream) }

  constructor (parts: IncomingStreamsParts) {
    this.#parts = parts
  }

  /** All that are not over. */
  get streams (): ReadonlySet<ServerStream> { return this.#streams }

  /** A connection of another server; with direct TLS, after its handshake. */
  accept (transport: Transport): void {
    const { log, now, stanzaBytes } = this.#parts
    const parts = { log, now, stanzaBytes, closed: this.#closed }
    this.#streams.add(new ServerStream(transport, parts, stream => new IncomingStream(stream, this.#parts)))
  }

  /** Checks the deadlines of all. */
  check (): void {
    const now = this.#parts.now()
    for (const stream of this.#streams) stream.check(now)
  }

  close (error: StreamError): void {
    for (const stream of this.#streams) stream.close(error)
  }
}
