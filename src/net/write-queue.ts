/**
 * The pending writes of a connection. All writes of one turn of the event loop are sent as one. While the peer reads
 * slowly, the rest waits here by reference, so that a stanza for many recipients is in memory once.
 */
import type { Connection, WriteBarrier } from './write-barrier.ts'

/** Bytes, or text that is written as UTF-8. */
export type Part = Buffer | string

/** The destination of a queue: a socket, or a layer above one. */
export interface Outlet {
  /** Whether its buffer is full. It calls `pump` when that ends. */
  readonly isBlocked: boolean
  send (parts: readonly Part[]): void
  /** Ends the connection after everything that was sent. */
  end (): void
  destroy (): void
}

/** The size of a chunk for the socket; a single part may be longer. */
export const PORTION_BYTES = 65_536
/** The low-water mark: bursts wait while more bytes are unread. */
export const ENOUGH_BYTES = 1024 * 1024

export class WriteQueue implements Connection {
  readonly #outlet: Outlet
  readonly #barrier: WriteBarrier
  /** The writes of this turn. */
  #turn: Part[] | undefined
  /** The writes of earlier turns, held by the write barrier. */
  #held: (readonly Part[])[] | undefined
  /** Released writes, which wait for the peer to read. */
  #ready: Part[] | undefined
  #written = 0
  #sent = 0
  #isEnding = false
  #drained: PromiseWithResolvers<void> | undefined

  constructor (outlet: Outlet, barrier: WriteBarrier) {
    this.#outlet = outlet
    this.#barrier = barrier
  }

  /** Pending bytes; a character of text counts as one byte. */
  get bytes (): number {
    return this.#written - this.#sent
  }

  /** Bytes ever sent to the outlet: while writes are pending, it grows as the peer reads. */
  get sent (): number {
    return this.#sent
  }

  /** Resolves below the low-water mark, or when the connection is gone; undefined where that is so now. */
  drained (): Promise<void> | undefined {
    if (this.bytes <= ENOUGH_BYTES) return
    this.#drained ??= Promise.withResolvers()
    return this.#drained.promise
  }

  write (part: Part): void {
    this.#written += part.length
    if (this.#turn) {
      this.#turn.push(part)
      return
    }
    this.#turn = [part]
    this.#barrier.clientWrites(this)
  }

  flush (): void {
    const parts = this.#turn
    if (!parts) return
    this.#turn = undefined
    this.#send(parts)
  }

  hold (): void {
    this.#held ??= []
    this.#held.push(this.#turn ?? [])
    this.#turn = undefined
  }

  release (isPersisted: boolean): void {
    const parts = this.#held?.shift()
    if (this.#held?.length === 0) this.#held = undefined
    if (isPersisted) this.#send(parts ?? [])
    else this.#outlet.destroy()
  }

  #send (parts: readonly Part[]): void {
    if (!this.#ready && this.bytes <= PORTION_BYTES && !this.#outlet.isBlocked) {
      this.#hand(parts)
    } else {
      this.#ready ??= []
      for (const part of parts) this.#ready.push(part)
    }
    this.pump()
  }

  /** Sends pending writes until the outlet is blocked. */
  pump (): void {
    while (this.#ready && !this.#outlet.isBlocked) this.#hand(this.#takePortion(this.#ready))
    if (this.#drained && this.bytes <= ENOUGH_BYTES) this.#wake()
    if (!this.#isEnding || this.#turn || this.#held || this.#ready) return
    this.#isEnding = false
    this.#outlet.end()
  }

  #takePortion (ready: Part[]): readonly Part[] {
    let bytes = 0
    let end = 0
    while (end < ready.length && bytes < PORTION_BYTES) bytes += ready[end++]?.length ?? 0
    if (end < ready.length) return ready.splice(0, end)
    this.#ready = undefined
    return ready
  }

  #hand (parts: readonly Part[]): void {
    if (parts.length === 0) return
    this.#sent = this.#turn || this.#held || this.#ready ? this.#sent + sizeOf(parts) : this.#written
    this.#outlet.send(parts)
  }

  #wake (): void {
    this.#drained?.resolve()
    this.#drained = undefined
  }

  /** Sends all pending writes, held ones included. */
  sendAll (): void {
    const parts = [this.#ready ?? [], ...this.#held ?? [], this.#turn ?? []].flat()
    this.#held = this.#held?.map(() => [])
    this.#turn = this.#ready = undefined
    this.#hand(parts)
  }

  /** Ends the outlet after all pending writes. */
  end (): void {
    this.#isEnding = true
    this.pump()
  }

  /** Discards all pending writes. */
  drop (): void {
    this.#turn = this.#held = this.#ready = undefined
    this.#sent = this.#written
    this.#isEnding = false
    this.#wake()
  }
}

function sizeOf (parts: readonly Part[]): number {
  let bytes = 0
  for (const part of parts) bytes += part.length
  return bytes
}
