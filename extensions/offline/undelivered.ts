/**
 * What of an account's archive no device has yet, and which sessions have been given it without saying that they have
 * it. Kept as ranges of the archive's numbers, so that it takes no more memory however much waits: between a range's
 * ends is all that came for the account, and none of what the account sent.
 */
import type { DeliveryPosition, NumberRange, SessionView } from '../../src/extension/api.ts'

interface Range {
  from: number
  to: number
  /** How many messages are in it; Infinity where only the archive knows. */
  count: number
  holders: readonly SessionView[]
  /** Of what some holders have but a copy: of one message only. */
  isCopied?: boolean
  /** Whether all that came between the range before and this one is in one of them. */
  isJoined: boolean
}

const NOBODY: readonly SessionView[] = []

/** With more, neighbours become one: then a device may be given again what another has, but nothing is lost. */
const MAX_RANGES = 500

export class Undelivered {
  readonly owner: string
  /** In the order of the archive. */
  #ranges: Range[] = []
  #last: number
  /** How far in the archive each session was given something. */
  readonly #givenUpTo = new WeakMap<SessionView, number>()
  /** The position that the database has. */
  #saved: number

  constructor (owner: string, { delivered, last }: DeliveryPosition) {
    this.owner = owner
    this.#saved = delivered
    this.#last = Math.max(delivered, last)
    if (last > delivered) {
      this.#ranges.push({ from: delivered + 1, to: last, count: Infinity, holders: NOBODY, isJoined: false })
    }
  }

  get isEmpty (): boolean {
    return this.#ranges.length === 0
  }

  /** All up to here is with a device, or was nothing to deliver. */
  get position (): number {
    const [first] = this.#ranges
    return first === undefined ? this.#last : first.from - 1
  }

  /** The last of what came for the account. */
  get last (): number {
    return this.#last
  }

  get hasMoved (): boolean {
    return this.position > this.#saved
  }

  /** The database has that position. */
  saved (position: number): void {
    this.#saved = Math.max(this.#saved, position)
  }

  /** A message has come, mostly the next of the archive; one that comes late was held up. */
  add (seq: number): void {
    const end = this.#ranges.at(-1)
    if (seq > this.#last) {
      const isJoined = end?.to === this.#last
      this.#last = seq
      if (isJoined && end.holders.length === 0) {
        end.to = seq
        end.count++
      } else this.#ranges.push({ from: seq, to: seq, count: 1, holders: NOBODY, isJoined })
    } else this.#addLate(seq)
    this.#bound()
  }

  #addLate (seq: number): void {
    const range = this.#ranges[this.#find(seq)]
    if (range) {
      if (!isDense(range)) range.count = Infinity
      return
    }
    const next = this.#ranges.findIndex(({ from }) => from > seq)
    const one = { from: seq, to: seq, count: 1, holders: NOBODY, isJoined: false }
    this.#ranges.splice(next < 0 ? this.#ranges.length : next, 0, one)
    this.#separate(this.#ranges.indexOf(one) + 1)
  }

  /** The session was sent it, and will say when it has it: what it was sent first, first. */
  give (seq: number, session: SessionView): void {
    const at = this.#hold(seq, session)
    if (at < 0) return
    const isInOrder = seq > (this.#givenUpTo.get(session) ?? 0)
    if (isInOrder) {
      this.#givenUpTo.set(session, seq)
      this.#joinIfAlike(at)
    }
    this.#bound()
  }

  /** The session was sent a copy: it needs no other, but that delivers nothing (XEP-0280). */
  copy (seq: number, session: SessionView): void {
    const one = this.#ranges[this.#hold(seq, session)]
    if (one) one.isCopied = true
    this.#bound()
  }

  /** Makes the session a holder of one message; gives the place of its range, -1 where there is nothing to do. */
  #hold (seq: number, session: SessionView): number {
    const found = this.#find(seq)
    if (this.#ranges[found]?.holders.includes(session) !== false) return -1
    const at = this.#cut(found, seq)
    const one = this.#ranges[at]
    if (one) one.holders = [...one.holders, session]
    return at
  }

  /** A device has it; the session is one that says so of all that it was given, in the order of that. */
  confirm (seq: number, session: SessionView): void {
    const at = this.#find(seq)
    const range = this.#ranges[at]
    if (!range) return
    if (range.count === 1 || range.from === range.to) this.#remove(at, 1)
    else if (seq === range.to) {
      range.to--
      range.count--
      this.#separate(at + 1)
    } else if (seq === range.from || range.holders.includes(session)) {
      range.from = seq + 1
      range.count--
      range.isJoined = false
    } else {
      this.#remove(this.#cut(at, seq), 1)
      this.#bound()
    }
  }

  /** A device has everything up to there. */
  confirmUpTo (seq: number): void {
    const behind = this.#ranges.findIndex(({ to }) => to > seq)
    this.#remove(0, behind < 0 ? this.#ranges.length : behind)
    const [first] = this.#ranges
    if (!first || first.from > seq) return
    first.count = countIn(first, seq + 1, first.to)
    first.from = seq + 1
  }

  /** A device has all that the session was given, copies aside. */
  confirmAllOf (session: SessionView): void {
    this.#ranges = this.#ranges.filter(({ holders, isCopied }) => isCopied || !holders.includes(session))
    for (const range of this.#ranges) range.isJoined = false
  }

  /** Of what came for the account the archive holds just these numbers from one to another, in order. */
  found (from: number, to: number, seqs: readonly number[]): void {
    this.#ranges = this.#ranges.flatMap(range => {
      if (range.to < from || range.from > to) return range
      const parts: Range[] = []
      if (range.from < from) parts.push(part(range, range.from, from - 1, true))
      for (const seq of seqs) {
        if (seq >= Math.max(from, range.from) && seq <= Math.min(to, range.to))
          parts.push({ ...part(range, seq, seq, parts.length === 0), count: 1 })
      }
      if (range.to > to) parts.push(part(range, to + 1, range.to, parts.length === 0))
      return parts
    })
  }

  /** The session is over: what it did not confirm it does not have. */
  takeFrom (session: SessionView): void {
    for (const range of this.#ranges) {
      if (range.holders.includes(session)) range.holders = range.holders.filter(holder => holder !== session)
      if (range.holders.length === 0) range.isCopied = false
    }
    for (let at = this.#ranges.length - 1; at > 0; at--)
      if (this.#ranges[at]?.holders.length === 0) this.#joinIfAlike(at)
  }

  /** Whether the session should get it: nobody has it for sure, and it was not given it. */
  isFor (seq: number, session: SessionView): boolean {
    return this.#ranges[this.#find(seq)]?.holders.includes(session) === false
  }

  /** Whether the session was given it, and has yet to say that it has it. */
  isWith (seq: number, session: SessionView): boolean {
    return this.#ranges[this.#find(seq)]?.holders.includes(session) === true
  }

  /**
   * Where there may be something for the session, behind one number and up to another: what no device has for sure, or
   * of that only what was given to nobody who is still there. So many stretches at most.
   */
  stretchesFor (
    session: SessionView,
    after: number,
    upTo: number,
    isAbandoned: boolean,
    most: number,
  ): readonly NumberRange[] {
    const stretches: NumberRange[] = []
    for (const { from, to, holders } of this.#ranges) {
      if (from > upTo || stretches.length === most) break
      if (to <= after || (isAbandoned ? holders.length > 0 : holders.includes(session))) continue
      stretches.push({ from: Math.max(from, after + 1), to: Math.min(to, upTo) })
    }
    return stretches
  }

  /** The place of the range that a number is in; -1 where none is. */
  #find (seq: number): number {
    let low = 0
    let high = this.#ranges.length - 1
    if (seq >= (this.#ranges[high]?.from ?? Infinity)) low = high // mostly it is the newest
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#ranges[middle]?.to ?? 0) < seq) low = middle + 1
      else high = middle
    }
    const range = this.#ranges[low]
    return range && range.from <= seq && seq <= range.to ? low : -1
  }

  /** Makes a range of its own of one message; gives its place. */
  #cut (at: number, seq: number): number {
    const range = this.#ranges[at]
    if (!range || range.count === 1 || range.from === range.to) return at
    const { from, to, count } = range
    const one = { ...part(range, seq, seq, seq === from), count: 1 }
    const before = { ...part(range, from, seq - 1, true), ...seq === to ? { count: count - 1 } : undefined }
    const after = { ...part(range, seq + 1, to, false), ...seq === from ? { count: count - 1 } : undefined }
    if (seq === from) this.#ranges.splice(at, 1, one, after)
    else if (seq === to) this.#ranges.splice(at, 1, before, one)
    else this.#ranges.splice(at, 1, before, one, after)
    return seq === from ? at : at + 1
  }

  #remove (at: number, count: number): void {
    if (count === 0) return
    this.#ranges.splice(at, count)
    this.#separate(at)
  }

  #separate (at: number): void {
    const range = this.#ranges[at]
    if (range) range.isJoined = false
  }

  /** Makes one of the range and the one before where that says the same. */
  #joinIfAlike (at: number): void {
    const before = this.#ranges[at - 1]
    const range = this.#ranges[at]
    if (!before || !range?.isJoined || before.isCopied || range.isCopied || !areSame(before.holders, range.holders))
      return
    before.to = range.to
    before.count += range.count
    this.#ranges.splice(at, 1)
  }

  /** Makes one of every two neighbours where there are too many. */
  #bound (): void {
    if (this.#ranges.length <= MAX_RANGES) return
    const joined: Range[] = []
    for (let at = 0; at < this.#ranges.length; at += 2) {
      const [one, next] = [this.#ranges[at], this.#ranges[at + 1]]
      if (!one) break
      joined.push(next ? { ...one, to: next.to, count: Infinity, holders: NOBODY, isCopied: false } : one)
    }
    this.#ranges = joined
  }
}

/** A part of a range: its first keeps what lies before the range. */
function part (range: Range, from: number, to: number, isFirst: boolean): Range {
  return { ...range, from, to, count: countIn(range, from, to), isJoined: isFirst ? range.isJoined : true }
}

/** Known where the account sent nothing meanwhile. */
function countIn (range: Range, first: number, last: number): number {
  return isDense(range) ? last - first + 1 : Infinity
}

function isDense ({ from, to, count }: Range): boolean {
  return count === to - from + 1
}

function areSame (some: readonly SessionView[], others: readonly SessionView[]): boolean {
  return some === others || (some.length === others.length && some.every((session, n) => session === others[n]))
}
