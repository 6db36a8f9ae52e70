/**
 * What waits to be written to a connection. What one turn of the event loop writes leaves in one write; where the peer
 * reads more slowly, the rest waits here as it was given, by reference: what many are sent is in memory once, however
 * many of them do not read it.
 */
import type { Connection, WriteBarrier } from './write-barrier.ts'

/** Bytes, or text that is written as UTF-8. */
export type Part = Buffer | string

/** What a queue writes to: a socket, or what stands on one. */
export interface Outlet {
  /** Whether it has enough to write for now. When that ends, it calls `pump`. */
  readonly isBlocked: boolean
  send (parts: readonly Part[]): void
  /** Nothing comes after what it was sent. */
  end (): void
  destroy (): void
}

/** So much is handed to the socket at a time, or one part that is longer. */
export const PORTION_BYTES = 65_536
/** Whoever has much to write waits while more than that is unread. */
export const ENOUGH_BYTES = 1024 * 1024

export class WriteQueue implements Connection {
  readonly #outlet: Outlet
  readonly #barrier: WriteBarrier
  /** What this turn has written. */
  #turn: Part[] | undefined
  /** What earlier turns wrote and may not be sent yet. */
  #held: (readonly Part[])[] | undefined
  /** What may be sent, and waits for the peer to read. */
  #ready: Part[] | undefined
  #written = 0
  #sent = 0
  #isEnding = false
  #drained: PromiseWithResolvers<void> | undefined

  constructor (outlet: Outlet, barrier: WriteBarrier) {
    this.#outlet = outlet
    this.#barrier = barrier
  }

  /** What is written and not yet handed to the outlet; a character of text counts as one byte. */
  get bytes (): number {
    return this.#written - this.#sent
  }

  /** How much was ever handed to the outlet: while something waits, it grows as the peer reads. */
  get sent (): number {
    return this.#sent
  }

  get isHeld (): boolean {
    return this.#held !== undefined
  }

  /** Resolves when little is left to be read, or nothing can be any more; nothing returned where that is so now. */
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

  release (mayBeSaid: boolean): void {
    const parts = this.#held?.shift()
    if (this.#held?.length === 0) this.#held = undefined
    if (mayBeSaid) this.#send(parts ?? [])
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

  /** The outlet can write again. */
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

  /** Hands over all there is, also what may not be sent yet. */
  sendAll (): void {
    const parts = [this.#ready ?? [], ...this.#held ?? [], this.#turn ?? []].flat()
    this.#held = this.#held?.map(() => [])
    this.#turn = this.#ready = undefined
    this.#hand(parts)
  }

  /** Ends the outlet once all is sent. */
  end (): void {
    this.#isEnding = true
    this.pump()
  }

  /** Forgets what waits: nobody will read it. */
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
