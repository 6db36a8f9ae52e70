/**
 * What waits for one pair of domains, in the order in which it came: messages and subscriptions, which are kept until
 * they are confirmed, in the database where that takes long, and between them what waits in memory only.
 */
import type { Portion } from '../../util/shares.ts'
import type { Presence, Stanza } from '../../xmpp/stanza.ts'
import type { Batch } from './unwritten.ts'

/** A message or subscription. Its portion is the bytes of its stanza. */
export interface Kept extends Portion {
  readonly local: string
  readonly seq: number
  /** Who is told if it can't be delivered. */
  readonly sender: string
  /** Milliseconds since 1970. */
  readonly queuedAt: number
  readonly fingerprint: string | undefined
  /** Its place among all that wait for the domain. */
  readonly place: Portion
  /** Undefined where its row was in the database when the domain was loaded. */
  batch: Batch | undefined
  /** In memory until it is committed and was sent, where there is room. */
  stanza: Stanza | undefined
  /** How often the other server ended the stream on it alone. */
  refusals: number
}

/** Presence, an iq or a message that is worth nothing later. */
export interface Passing extends Portion {
  readonly stanza: Stanza
  /** The kept message that it must not overtake. */
  readonly after: number
  /** Milliseconds of the monotonic clock. */
  readonly until: number
}

/** Bytes of stanzas in memory of which there is a copy in the database, of all pairs. */
export interface Held { bytes: number }

/** The limits of held bytes, of all pairs and of one. */
const MAX_HELD = 128 * 1024 * 1024
const MAX_HELD_OF_ONE = 1024 * 1024
/** About the bytes that are read from the database at a time, and the most rows. */
const PAGE_BYTES = 1024 * 1024
const PAGE_ROWS = 500
/** What waits in memory only. */
const MAX_PASSING = 10_000

export class Line {
  readonly #held: Held
  #heldHere = 0
  #kept: Kept[] = []
  /** Of the kept, those that were sent and are not confirmed. */
  #sent = 0
  #last = 0
  #committed = 0
  readonly #passing = new Map<string | number, Passing>()
  #count = 0

  constructor (held: Held) {
    this.#held = held
  }

  get isEmpty (): boolean {
    return this.#kept.length === 0 && this.#passing.size === 0
  }

  /** Kept messages, confirmed ones left out. */
  get waiting (): number {
    return this.#kept.length
  }

  get oldest (): Kept | undefined {
    return this.#kept[0]
  }

  get unconfirmed (): number {
    return this.#sent
  }

  /** The number of the last message that was sent; undefined where all are confirmed. */
  get lastSent (): number | undefined {
    return this.#kept[this.#sent - 1]?.seq
  }

  /** Adds a message that is not committed. */
  keep (kept: Kept): void {
    this.#kept.push(kept)
    this.#last = kept.seq
    this.#hold(kept.bytes)
  }

  /** Adds a message whose row is in the database already. */
  restore (kept: Kept): void {
    this.#kept.push(kept)
    this.#last = this.#committed = kept.seq
  }

  /** Messages up to this number are on disk. */
  commit (upTo: number): void {
    this.#committed = Math.max(this.#committed, upTo)
    for (let at = 0; at < this.#sent; at++) {
      const kept = this.#kept[at]
      if (!kept || kept.seq > this.#committed) return
      this.#release(kept)
    }
  }

  /** Lets go of stanzas at the end of the line, where too many are in memory. */
  trim (): void {
    for (let at = this.#kept.length - 1; at >= this.#sent; at--) {
      const kept = this.#kept[at]
      if (!kept || (this.#heldHere <= MAX_HELD_OF_ONE && this.#held.bytes <= MAX_HELD)) return
      if (kept.seq <= this.#committed) {
        if (!kept.stanza) return
        this.#release(kept)
      }
    }
  }

  /** Whether there is no room for more that waits in memory only. */
  get isFull (): boolean {
    return this.#passing.size >= MAX_PASSING
  }

  /** The number that something which comes now must not overtake. */
  get last (): number {
    return this.#last
  }

  /** Adds what waits in memory only; returns the earlier presence of the same pair that it replaces. */
  pass (passing: Passing): Passing | undefined {
    const { stanza } = passing
    const key = stanza.kind === 'presence' ? presenceKey(stanza) : this.#count++
    const before = this.#passing.get(key)
    this.#passing.delete(key)
    this.#passing.set(key, passing)
    return before
  }

  /** What is to be sent next; `unread` where that has to be read first. */
  next (): Kept | Passing | 'unread' | undefined {
    const kept = this.#kept[this.#sent]
    const passing = this.#passing.size > 0 ? this.#passing.values().next().value : undefined
    if (passing && (!kept || passing.after < kept.seq)) return passing
    if (!kept) return
    return kept.stanza ? kept : 'unread'
  }

  /** What `next` has returned was sent. */
  sent (next: Kept | Passing): void {
    if ('seq' in next) {
      if (next.seq <= this.#committed) this.#release(next)
      this.#sent++
    } else {
      const [first] = this.#passing.keys()
      if (first !== undefined) this.#passing.delete(first)
    }
  }

  /** The next messages, whose stanzas are to be read. */
  get unread (): readonly Kept[] {
    const unread: Kept[] = []
    let bytes = 0
    for (const kept of this.#kept.slice(this.#sent, this.#sent + PAGE_ROWS)) {
      if (kept.stanza || bytes > PAGE_BYTES) break
      unread.push(kept)
      bytes += kept.bytes
    }
    return unread
  }

  /** Sets the stanzas of `unread`; drops the messages of which there is none any more, and returns them. */
  fill (unread: readonly Kept[], stanzas: ReadonlyMap<Kept, Stanza>): readonly Kept[] {
    const wanted = new Set(unread)
    for (const kept of this.#kept.slice(this.#sent, this.#sent + PAGE_ROWS)) {
      if (kept.stanza || !wanted.has(kept)) continue
      kept.stanza = stanzas.get(kept)
      if (kept.stanza) this.#hold(kept.bytes)
    }
    const missing = unread.filter(kept => !stanzas.has(kept))
    if (missing.length > 0) this.#kept = this.#kept.filter(kept => !missing.includes(kept))
    return missing
  }

  /** The link is lost: what was sent and is not confirmed is to be sent again. */
  rewind (): void {
    this.#sent = 0
  }

  /** Takes out the messages up to this number, which are confirmed. */
  confirm (upTo: number): readonly Kept[] {
    let count = 0
    while (count < this.#sent && (this.#kept[count]?.seq ?? Infinity) <= upTo) count++
    this.#sent -= count
    const confirmed = this.#kept.splice(0, count)
    for (const kept of confirmed) this.#release(kept)
    return confirmed
  }

  /** Takes out the first messages for which `isWanted` holds. Nothing may be sent. */
  takeKept (isWanted: (kept: Kept) => boolean): readonly Kept[] {
    let count = 0
    for (let kept = this.#kept[0]; kept && isWanted(kept);) kept = this.#kept[++count]
    const taken = this.#kept.splice(0, count)
    for (const kept of taken) if (kept.stanza) this.#unhold(kept.bytes)
    return taken
  }

  /** Takes out what waits in memory only, and for which `isWanted` holds. */
  takePassing (isWanted: (passing: Passing) => boolean = () => true): readonly Passing[] {
    const taken: Passing[] = []
    for (const [key, passing] of this.#passing) {
      if (!isWanted(passing)) continue
      this.#passing.delete(key)
      taken.push(passing)
    }
    return taken
  }

  /** Nothing of it is needed any more. */
  dispose (): readonly Kept[] {
    this.#unhold(this.#heldHere)
    return this.#kept.splice(0)
  }

  #release (kept: Kept): void {
    if (!kept.stanza) return
    kept.stanza = undefined
    this.#unhold(kept.bytes)
  }

  #hold (bytes: number): void {
    this.#heldHere += bytes
    this.#held.bytes += bytes
  }

  #unhold (bytes: number): void {
    this.#heldHere -= bytes
    this.#held.bytes -= bytes
  }
}

/** Of presence only the newest counts. A probe asks for something else. */
function presenceKey ({ type, from, to }: Presence): string {
  return `${from} ${to}${type === 'probe' || type === 'error' ? ` ${type}` : ''}`
}
