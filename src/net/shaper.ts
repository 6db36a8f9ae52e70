/**
 * Traffic shaping: limits the average bytes per second read from a connection, with a burst. A client that sends faster
 * is read more slowly, never disconnected. One timer serves all paused connections.
 */

/** A connection whose reading can be paused. */
export interface Shaped {
  /** When the bytes read so far are within the average, in milliseconds of the monotonic clock; set by the shaper. */
  paidUntil: number
  pause (): void
  resume (): void
}

const SLOT_MS = 50
const BURST_MS = 2000

/** A shaper serves all connections with the same rate; 0 means no limit. */
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
