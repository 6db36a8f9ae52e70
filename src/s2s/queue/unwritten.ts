/**
 * Messages of a domain that are not on disk. One that is settled soon, because the other server has confirmed it or its
 * sender has it back, needs no row in the database; rows of the rest are written, in order. The sender waits for
 * whichever comes first.
 */
import type { Undelivered } from '../../session/forwarding.ts'
import { neverRejects } from '../../util/background.ts'
import type { Kept } from './line.ts'

/** The time in which a confirmation spares the row, in milliseconds. */
export const WRITE_AFTER_MS = 500

/**
 * Limits of what is not settled and not being written: more is written at once, in one turn of the event loop. They are
 * above what is sent ahead of its confirmation.
 */
const MAX_UNWRITTEN = 3000
const MAX_UNWRITTEN_BYTES = 3 * 1024 * 1024

/** A message that is not on disk, as the domain has another owner. */
export interface Unsaved extends Undelivered { readonly seq: number }

/** Messages between two requests for a confirmation: their senders share a promise. */
export class Batch {
  readonly openedAt = performance.now()
  readonly #done = Promise.withResolvers<void>()
  #unsettled = new Set<Kept>()
  /** Their rows may be in the database, or soon. */
  isWritten = false
  /** Its rows being written; undefined before and after that. */
  writing: Promise<void> | undefined
  /** Resolves when it is known whether the rows are in the database; undefined before they are written. */
  appended: Promise<unknown> | undefined
  /** Those that the domain's next owner is to take. */
  unsaved: readonly Unsaved[] = []

  constructor () {
    this.done.catch(() => {}) // the senders may know already
  }

  /** Resolves when each is settled, on disk or with another owner; rejects with the writer's error. */
  get done (): Promise<void> { return this.#done.promise }

  get unsettled (): readonly Kept[] { return [...this.#unsettled] }

  get isSettled (): boolean { return this.#unsettled.size === 0 }

  add (kept: Kept): void {
    this.#unsettled.add(kept)
  }

  /** False where it was settled before. */
  settle (kept: Kept): boolean {
    const isNew = this.#unsettled.delete(kept)
    if (this.isSettled) this.#done.resolve()
    return isNew
  }

  settleAll (): void {
    this.#unsettled = new Set()
    this.#done.resolve()
  }

  fail (error: unknown): void {
    this.#done.reject(error)
  }
}

export interface UnwrittenParts {
  /** Resolves when the message and all earlier ones are committed, or the domain is known to have another owner. */
  readonly append: (kept: Kept) => Promise<void>
  /** The messages are committed, or with another owner when a promise resolves. */
  readonly appended: (batch: Batch) => void | Promise<void>
  /** It is unknown whether the messages are committed. */
  readonly failed: () => void
}

export class Unwritten {
  readonly #parts: UnwrittenParts
  /** In order. */
  readonly #batches = new Set<Batch>()
  #open: Batch | undefined
  /** Messages that are neither settled nor being written, and their bytes. */
  #count = 0
  #bytes = 0
  #timer: NodeJS.Timeout | undefined
  #isWriteScheduled = false

  constructor (parts: UnwrittenParts) {
    this.#parts = parts
  }

  get isEmpty (): boolean { return this.#batches.size === 0 }

  /** Adds a message; returns what `done` of its batch is. */
  add (kept: Kept): Promise<void> {
    if (!this.#open) this.#batches.add(this.#open = new Batch())
    kept.batch = this.#open
    const { done } = this.#open
    this.#open.add(kept)
    this.#count++
    this.#bytes += kept.bytes
    if (this.#count >= MAX_UNWRITTEN || this.#bytes >= MAX_UNWRITTEN_BYTES) this.write()
    else this.#timer ??= setTimeout(() => { this.#writeLate() }, WRITE_AFTER_MS)
    return done
  }

  /** What comes from now on is confirmed later than what came before. */
  closeBatch (): void {
    this.#open = undefined
  }

  /** The other server has the message, or its sender has it back. */
  settle (kept: Kept): void {
    const { batch } = kept
    if (!batch?.settle(kept)) return
    if (!batch.isWritten) {
      this.#count--
      this.#bytes -= kept.bytes
    }
    if (batch.isSettled && !batch.writing) this.#remove(batch)
  }

  /** Writes all that is not settled, together with what comes in this turn of the event loop. */
  writeSoon (): void {
    if (this.#isWriteScheduled) return
    this.#isWriteScheduled = true
    setImmediate(() => {
      this.#isWriteScheduled = false
      this.write()
    })
  }

  write (): void {
    clearTimeout(this.#timer)
    this.#timer = this.#open = undefined
    this.#count = this.#bytes = 0
    for (const batch of this.#batches) {
      if (batch.isWritten) continue
      batch.isWritten = true
      batch.appended = Promise.all(batch.unsettled.map(kept => this.#parts.append(kept)))
      neverRejects(batch.writing = this.#finish(batch, batch.appended)) // the senders hear of it
    }
  }

  /** Writes all that is not settled; resolves, when it is known of all whether it is on disk, with what is not. */
  async unsaved (): Promise<readonly Unsaved[]> {
    this.write()
    await Promise.allSettled([...this.#batches].map(({ appended }) => appended))
    return [...this.#batches].flatMap(({ unsaved }) => unsaved)
  }

  /** Resolves when all are settled, on disk or with another owner; rejects with the writer's error. */
  async settled (): Promise<void> {
    await Promise.all([...this.#batches].map(({ done }) => done))
  }

  #writeLate (): void {
    this.#timer = undefined
    const oldest = [...this.#batches].find(({ isWritten }) => !isWritten)
    if (!oldest) return
    const left = oldest.openedAt + WRITE_AFTER_MS - performance.now()
    if (left <= 1) this.write()
    else this.#timer = setTimeout(() => { this.#writeLate() }, left)
  }

  async #finish (batch: Batch, appended: Promise<unknown>): Promise<void> {
    try {
      await appended
      await this.#parts.appended(batch)
      batch.settleAll()
    } catch (error) { // the writer's
      this.#parts.failed()
      batch.fail(error)
    }
    batch.writing = undefined
    this.#remove(batch)
  }

  #remove (batch: Batch): void {
    this.#batches.delete(batch)
    if (this.#open === batch) this.#open = undefined
  }
}
