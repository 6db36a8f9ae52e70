/**
 * XEP-0198 §4: the queue of unacknowledged stanzas, in order, and the arithmetic of `h`, which wraps from 2³²−1 to 0.
 */
import { delay } from '../../src/extension/api.ts'
import type { Message, SessionView, Stanza } from '../../src/extension/api.ts'

export interface Sent {
  readonly stanza: Stanza
  /** When it was sent: milliseconds since 1970. */
  readonly at: number
  /** The account's sessions at that time. */
  readonly siblingSessions: readonly SessionView[]
}

const HALF = 2 ** 31
/** A stanza's overhead in memory. */
const STANZA_BYTES = 200
const NONE: readonly Sent[] = []

export class AckQueue {
  #waiting: Sent[] = []
  #acknowledged: number
  #bytes = 0

  /** Starts as if this number had been sent and acknowledged. */
  constructor (acknowledged = 0) {
    this.#acknowledged = acknowledged
  }

  get length (): number {
    return this.#waiting.length
  }

  /** The highest `h` that has come. */
  get acknowledged (): number {
    return this.#acknowledged
  }

  /** The bytes of the stanzas, including those shared with others. */
  get bytes (): number {
    return this.#bytes
  }

  /** The number of stanzas ever sent: the highest valid `h`. */
  get sent (): number {
    return (this.#acknowledged + this.#waiting.length) >>> 0
  }

  /** The oldest first. */
  get waiting (): readonly Sent[] {
    return this.#waiting
  }

  /** Gives the bytes that the stanza takes. */
  push (entry: Sent): number {
    const bytes = sizeOf(entry)
    this.#waiting.push(entry)
    this.#bytes += bytes
    return bytes
  }

  /**
   * Removes the stanzas that the client acknowledges; undefined when it can't have got that many. An older `h` changes
   * nothing.
   */
  acknowledge (h: number): readonly Sent[] | undefined {
    const count = (h - this.#acknowledged) >>> 0
    if (count === 0 || count >= HALF) return NONE
    if (count > this.#waiting.length) return
    const acknowledged = this.#waiting.splice(0, count)
    for (const entry of acknowledged) this.#bytes -= sizeOf(entry)
    this.#acknowledged = h
    return acknowledged
  }

  /** Copies the stanzas into memory of their own, since they may wait for long. */
  settle (): void {
    this.#waiting = this.#waiting.map(entry => ({ ...entry, stanza: entry.stanza.copy() }))
  }
}

function sizeOf ({ stanza }: Sent): number {
  return STANZA_BYTES + stanza.weight
}

/** The stanza as it is sent again: with its original time (§4). */
export function delayed (stanza: Message, at: number): Message
export function delayed (stanza: Stanza, at: number): Stanza
export function delayed (stanza: Stanza, at: number): Stanza {
  if (stanza.kind === 'iq' || stanza.has('delay', 'urn:xmpp:delay')) return stanza
  return stanza.withPayload(delay(at, stanza.to?.domain))
}

/** An `h` or another unsigned 32-bit integer; undefined where it is none. */
export function parseCount (text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return
  const count = Number(text)
  return count < 2 ** 32 ? count : undefined
}
