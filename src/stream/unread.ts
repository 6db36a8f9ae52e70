/**
 * Clients that do not read. The number of unread bytes alone says nothing, as they may just have been written: a client
 * is stalled when it reads nothing for a while.
 */
import { PORTION_BYTES } from '../net/write-queue.ts'
import { StreamError } from '../xmpp/errors.ts'

/** The limit on unread bytes of a stalled client, and the time after which it counts as gone. */
const STUCK_BYTES = 16 * 1024 * 1024
const STUCK_MS = 10_000
/** The time without reading after which a client may be disconnected to free memory for others. */
const PAUSE_MS = 4_000

/** What waits for a client. */
export interface Output {
  readonly bufferedBytes: number
  /** Grows as the client reads. */
  readonly sentBytes: number
}

/** The bytes sent when the client was last seen to read, and that time. */
export interface Backlog { readonly sent: number, readonly since: number }

/** The backlog at `now`, in milliseconds; undefined where the client has little to read. */
export function observe (
  before: Backlog | undefined,
  { bufferedBytes, sentBytes }: Output,
  now: number,
): Backlog | undefined {
  if (bufferedBytes <= PORTION_BYTES) return
  return before?.sent === sentBytes ? before : { sent: sentBytes, since: now }
}

/** Whether a client with that backlog counts as gone. */
export function isStuck ({ since }: Backlog, { bufferedBytes }: Output, now: number): boolean {
  return bufferedBytes > STUCK_BYTES && now - since >= STUCK_MS
}

/** The error for a client, or another server, that does not read. */
export function notRead (): StreamError {
  return new StreamError('resource-constraint', 'you do not read what you are sent')
}

/** A stream among others. */
export interface UnreadStream extends Pick<Output, 'bufferedBytes'> {
  readonly isClosed: boolean
  readonly backlog: Backlog | undefined
  close (error: StreamError): void
}

/**
 * Ends streams until all of them together have at most `most` unread bytes (0: no limit). Clients that have read
 * nothing for the longest time go first; clients that read stay, however slow.
 */
export function limitUnread (streams: Iterable<UnreadStream>, most: number, now: number): void {
  if (most === 0) return
  let total = 0
  const stuck: { readonly stream: UnreadStream, readonly since: number }[] = []
  for (const stream of streams) {
    if (stream.isClosed) continue
    total += stream.bufferedBytes
    const since = stream.backlog?.since
    if (since !== undefined && now - since >= PAUSE_MS) stuck.push({ stream, since })
  }
  if (total <= most) return
  for (const { stream } of stuck.sort((one, other) => one.since - other.since)) {
    total -= stream.bufferedBytes
    stream.close(notRead())
    if (total <= most) return
  }
}
