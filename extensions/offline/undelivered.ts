/**
 * What of an account's archive no device has yet, and which sessions have been given it without saying that they have
 * it.
 */
import type { Session } from '../../src/extension/api.ts'
import type { Position } from './store.ts'

const NOBODY: readonly Session[] = []

export class Undelivered {
  readonly owner: string
  /** In the order of the archive. */
  readonly #waiting = new Map<number, readonly Session[]>()
  #last: number
  /** The position that the database has. */
  #saved: number

  constructor (owner: string, { delivered, last, waiting }: Position) {
    this.owner = owner
    this.#saved = delivered
    this.#last = Math.max(delivered, waiting.length === 0 ? last : waiting.at(-1) ?? 0)
    for (const seq of waiting) this.#waiting.set(seq, NOBODY)
  }

  get count (): number {
    return this.#waiting.size
  }

  /** All up to here is with a device, or was nothing to deliver. */
  get position (): number {
    const [first] = this.#waiting.keys()
    return first === undefined ? this.#last : first - 1
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

  /** A message has come, mostly the next of the archive. */
  add (seq: number): void {
    this.#waiting.set(seq, NOBODY)
    if (seq > this.#last) this.#last = seq
    else this.#sort() // it was held up, and its sender told to try again
  }

  #sort (): void {
    const sorted = [...this.#waiting].sort(([a], [b]) => a - b)
    this.#waiting.clear()
    for (const [seq, holders] of sorted) this.#waiting.set(seq, holders)
  }

  /** The session was sent it, and will say when it has it. */
  give (seq: number, session: Session): void {
    const holders = this.#waiting.get(seq)
    if (holders && !holders.includes(session)) this.#waiting.set(seq, [...holders, session])
  }

  /** A device has it. */
  confirm (seq: number): void {
    this.#waiting.delete(seq)
  }

  /** A device has everything up to there. */
  confirmUpTo (seq: number): void {
    for (const one of this.#waiting.keys()) if (one <= seq) this.#waiting.delete(one)
  }

  /** The session is over: what it did not confirm it does not have. */
  takeFrom (session: Session): void {
    for (const [seq, holders] of this.#waiting) {
      if (holders.includes(session)) this.#waiting.set(seq, holders.filter(holder => holder !== session))
    }
  }

  /** Whether the session should get it: nobody has it for sure, and it was not given it. */
  isFor (seq: number, session: Session): boolean {
    return this.#waiting.get(seq)?.includes(session) === false
  }

  /** Whether the session was given it, and has yet to say that it has it. */
  isWith (seq: number, session: Session): boolean {
    return this.#waiting.get(seq)?.includes(session) === true
  }

  /** What no device has for sure. */
  get all (): readonly number[] {
    return [...this.#waiting.keys()]
  }

  /** What no session has been given that is still there. */
  get abandoned (): readonly number[] {
    return [...this.#waiting].filter(([, holders]) => holders.length === 0).map(([seq]) => seq)
  }
}
