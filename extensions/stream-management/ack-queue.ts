/**
 * XEP-0198 §4: what was sent and is not acknowledged, in order, and the arithmetic of `h`, which goes from 2³²−1 to 0.
 */
import { delay } from '../../src/extension/api.ts'
import type { Message, Session, Stanza } from '../../src/extension/api.ts'

export interface Sent {
  readonly stanza: Stanza
  /** When it was sent: milliseconds since 1970. */
  readonly at: number
  /** The account's sessions at that time. */
  readonly siblingSessions: readonly Session[]
}

const HALF = 2 ** 31
/** What a stanza takes besides what its sender chose. */
const STANZA_BYTES = 200
const NONE: readonly Sent[] = []

export class AckQueue {
  #waiting: Sent[] = []
  #acknowledged: number
  #bytes = 0

  /** As if so many had been sent and acknowledged. */
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

  /** What the stanzas take, those that others keep as well included. */
  get bytes (): number {
    return this.#bytes
  }

  /** The count of all that was ever sent: the highest `h` that can come. */
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

  /** Takes out what the client says that it has; nothing when it can't have so many. An older `h` is no news. */
  acknowledge (h: number): readonly Sent[] | undefined {
    const count = (h - this.#acknowledged) >>> 0
    if (count === 0 || count >= HALF) return NONE
    if (count > this.#waiting.length) return
    const acknowledged = this.#waiting.splice(0, count)
    for (const entry of acknowledged) this.#bytes -= sizeOf(entry)
    this.#acknowledged = h
    return acknowledged
  }

  /** Puts the stanzas into memory of their own: they may have to wait for long. */
  settle (): void {
    this.#waiting = this.#waiting.map(entry => ({ ...entry, stanza: entry.stanza.copy() }))
  }
}

function sizeOf ({ stanza }: Sent): number {
  return STANZA_BYTES + stanza.weight
}

/** What was sent as it is sent again: with the time when it was sent first (§4). */
export function delayed (stanza: Message, at: number): Message
export function delayed (stanza: Stanza, at: number): Stanza
export function delayed (stanza: Stanza, at: number): Stanza {
  if (stanza.kind === 'iq' || stanza.has('delay', 'urn:xmpp:delay')) return stanza
  return stanza.withPayload(delay(at, stanza.to?.domain))
}

/** An `h` or another unsigned integer of 32 bits; nothing where it is none. */
export function parseCount (text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return
  const count = Number(text)
  return count < 2 ** 32 ? count : undefined
}
