/**
 * Clients that do not read what they are sent. How much is unread says nothing by itself, for it may have been written
 * in this very moment: a client is stuck when it takes nothing for a while.
 */
import { PORTION_BYTES } from '../net/write-queue.ts'
import { StreamError } from '../xmpp/errors.ts'

/** What may wait for a client that is stuck, and how long. */
const STUCK_BYTES = 16 * 1024 * 1024
const STUCK_MS = 10_000
/** For so long a client takes nothing before it may be ended so that others have room. */
const PAUSE_MS = 4_000

/** What waits for a client. */
export interface Output {
  readonly bufferedBytes: number
  /** Grows as the client reads. */
  readonly sentBytes: number
}

/** How much had been sent when a client was last seen to take something, and when that was. */
export interface Backlog { readonly sent: number, readonly since: number }

/** What is known of the client's backlog now, at `now` in milliseconds; nothing where it has little to read. */
export function observe (before: Backlog | undefined, { bufferedBytes, sentBytes }: Output, now: number): Backlog | undefined {
  if (bufferedBytes <= PORTION_BYTES) return
  return before?.sent === sentBytes ? before : { sent: sentBytes, since: now }
}

/** Whether a client that has that backlog counts as gone. */
export function isStuck ({ since }: Backlog, { bufferedBytes }: Output, now: number): boolean {
  return bufferedBytes > STUCK_BYTES && now - since >= STUCK_MS
}

/** What ends a stream that is not read. */
export function notRead (): StreamError {
  return new StreamError('resource-constraint', 'your client does not read what it is sent')
}

/** A stream among others. */
export interface UnreadStream extends Pick<Output, 'bufferedBytes'> {
  readonly isClosed: boolean
  readonly backlog: Backlog | undefined
  close (error: StreamError): void
}

/**
 * Ends streams until what all clients together have not read is no more than `most` bytes (0: no limit). Those go first
 * whose clients have taken nothing for the longest time; who reads stays, however slowly.
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
