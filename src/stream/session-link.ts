/**
 * The link between a bound client's stream and its session: a reader at the session's node, or a relay to that node.
 */
import type { SessionStream } from '../session/session.ts'
import type { Frame } from '../xml/framer.ts'
import type { StreamError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'

/** The most unread bytes of a client. The server's own bursts stay below it: they wait for the client to read. */
export const MAX_UNREAD_BYTES = 128 * 1024 * 1024

/** The recipient of a bound client's elements. */
export interface SessionLink {
  /** The bound full address. */
  readonly jid: Jid
  /** Takes the client's next element. A promise means that it can't take another one yet. */
  take (frame: Frame): void | Promise<void>
  /** Pings a silent client. */
  ping (): void
  /** The client closes its stream properly; `lost` follows. */
  closed (): void
  /** The stream is gone. */
  lost (mayResume: boolean): void
}

/** A stream during negotiation: it may be over after every wait. */
export interface NegotiatedStream extends SessionStream {
  /** The id in the log. */
  readonly id: string
  /** The language of the stream header (RFC 6120 §4.7.4). */
  readonly lang: string | undefined
  readonly isClosed: boolean
}

/** Whether the session may be resumed after a stream that ended with this error, or without one. */
export function isUnfinished (error: StreamError | undefined): boolean {
  // XEP-0198 §7: the client has not closed its stream. After a shutdown another node may resume the session.
  return error?.condition === 'connection-timeout' || error?.condition === 'system-shutdown'
}
