/**
 * The read limit of a connection: bytes per second on average, with a burst. A client that sends faster is read slower,
 * never disconnected. One timer for all connections that wait.
 */

/** A connection that can be read slower. */
export interface Shaped {
  /** When the bytes read so far are within the average, in milliseconds of the monotonic clock; the shaper's own. */
  paidUntil: number
  pause (): void
  resume (): void
}

const SLOT_MS = 50
const BURST_MS = 2000

/** One shaper serves all connections of a rate; 0 is no limit. */
export class Shaper {
  readonly #bytesPerMs: number
  readonly #now: () => number
  readonly #slots = new Map<number, Shaped[]>()
  #timer: NodeJS.Timeout | undefined
  #nextSlot = 0

  constructor (bytesPerSecond: number, now: () => number = () => performance.now()) {
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#now = now
  }

  /** Counts bytes read, and pauses the connection until it is within the average again. */
  charge (connection: Shaped, bytes: number): void {
    if (this.#bytesPerMs === 0) return
    const now = this.#now()
    connection.paidUntil = Math.max(connection.paidUntil, now) + bytes / this.#bytesPerMs
    if (connection.paidUntil - now > BURST_MS) this.#wait(connection, now)
  }

  #wait (connection: Shaped, now: number): void {
    connection.pause()
    this.#start(now)
    const due = Math.max(this.#nextSlot, Math.ceil((connection.paidUntil - BURST_MS) / SLOT_MS))
    const slot = this.#slots.get(due)
    if (slot) slot.push(connection)
    else this.#slots.set(due, [connection])
  }

  #start (now: number): void {
    if (this.#timer) return
    this.#nextSlot = Math.floor(now / SLOT_MS) + 1
    this.#timer = setInterval(() => this.#turn(), SLOT_MS).unref()
  }

  #turn (): void {
    const now = Math.floor(this.#now() / SLOT_MS)
    for (; this.#nextSlot <= now; this.#nextSlot++) {
      const due = this.#slots.get(this.#nextSlot)
      this.#slots.delete(this.#nextSlot)
      for (const connection of due ?? []) connection.resume()
    }
    if (this.#slots.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
