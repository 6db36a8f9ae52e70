/**
 * What a client's stream is bound to, and what its link needs of it. The link is a session's reader, or the way to
 * the node where the session is.
 */
import type { SessionStream } from '../session/session.ts'
import type { Frame } from '../xml/framer.ts'
import type { StreamError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'

/**
 * What a client may leave unread at most. No burst of the server's own making is so large: it waits for the client to
 * read.
 */
export const MAX_UNREAD_BYTES = 128 * 1024 * 1024

/** Where a bound client's elements go. */
export interface SessionLink {
  /** The full address that is bound. */
  readonly jid: Jid
  /** Takes the client's next element. A promise means: not yet another one. */
  take (frame: Frame): void | Promise<void>
  /** Asks a client that is silent whether it is there. */
  ping (): void
  /** The client closes its stream in good order; `lost` follows. */
  closed (): void
  /** The stream is gone. */
  lost (mayResume: boolean): void
}

/** A stream on its way to a link: it may be over while something is waited for. */
export interface NegotiatedStream extends SessionStream {
  /** By it the logs know the stream. */
  readonly id: string
  /** What the client's stream header says (RFC 6120 §4.7.4). */
  readonly lang: string | undefined
  readonly isClosed: boolean
}

/** Whether a client whose stream was ended with that error, or without one, may come back to its session. */
export function isUnfinished (error: StreamError | undefined): boolean {
  // XEP-0198 §7: the client has not closed its stream. At a shutdown another node may go on with its session.
  return error?.condition === 'connection-timeout' || error?.condition === 'system-shutdown'
}
