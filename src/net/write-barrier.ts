/**
 * Collects what a turn of the event loop writes, so that it leaves with one system call for each connection: first what
 * other nodes must know before clients do, then what clients are sent, once the former is written.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'

export interface Flushable {
  flush (): void
}

/** State that other nodes must know before clients hear of it. */
export interface PersistedState {
  /** Writes it. Resolves when it is written; to false where clients must not be sent what depends on it any more. */
  flush (): Promise<boolean> | undefined
}

/** A connection to a client. */
export interface Connection extends Flushable {
  /** Puts aside what was written, in place of sending it. */
  hold (): void
  /** Sends what was put aside first; breaks where that is not to be said any more. */
  release (mayBeSaid: boolean): void
}

/** Writing takes so long at a time; then others are heard before the rest is written. */
const PORTION_MS = 5

/** One per node: its state, its packets to other nodes and its clients' connections, flushed in this order. */
export class WriteBarrier {
  #states: PersistedState[] = []
  #relays: Flushable[] = []
  #connections: Connection[] = []
  #isDue = false
  /** The last turn whose connections wait. */
  #lastHeld: Promise<void> | undefined
  readonly #flush = (): void => { this.#flushAll() }

  /** Flushes once, after everything that has arrived in this turn was dealt with, and before all others. */
  beforeClientWrites (state: PersistedState): void {
    this.#states.push(state)
    this.#flushSoon()
  }

  /** The same, for what goes to other nodes behind the persisted state. */
  afterPersisted (relay: Flushable): void {
    this.#relays.push(relay)
    this.#flushSoon()
  }

  /** The same, when all state is written that this turn or one before has to write. */
  clientWrites (connection: Connection): void {
    this.#connections.push(connection)
    this.#flushSoon()
  }

  #flushSoon (): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(this.#flush)
  }

  #flushAll (): void {
    const [states, relays, written] = [this.#states, this.#relays, this.#connections]
    this.#states = []
    this.#relays = []
    this.#connections = []
    this.#isDue = false
    const writing = states.map(state => state.flush()).filter(promise => promise !== undefined)
    for (const relay of relays) relay.flush()
    if (writing.length === 0 && !this.#lastHeld) this.#flushInPortions(written)
    else if (writing.length > 0 || written.length > 0) this.#hold(written, writing)
  }

  /** The rest waits for the next turn, and for the state that is to be written before that. */
  #flushInPortions (written: readonly Connection[]): void {
    const portion = new Portion()
    for (const [index, connection] of written.entries()) {
      connection.flush()
      if (portion.isOver && index + 1 < written.length) {
        this.#connections = written.slice(index + 1)
        return this.#flushSoon()
      }
    }
  }

  /** Turns are released in their order: a connection may be in several. */
  #hold (connections: readonly Connection[], writing: readonly Promise<boolean>[]): void {
    for (const connection of connections) connection.hold()
    const held = release(connections, writing, this.#lastHeld)
      .finally(() => { if (this.#lastHeld === held) this.#lastHeld = undefined })
    this.#lastHeld = held
  }
}

class Portion {
  readonly #until = performance.now() + PORTION_MS

  get isOver (): boolean {
    return performance.now() > this.#until
  }
}

async function release (
  connections: readonly Connection[], writing: readonly Promise<boolean>[], before: Promise<void> | undefined,
): Promise<void> {
  const written = await Promise.all(writing)
  await before
  let portion = new Portion()
  for (const connection of connections) {
    if (portion.isOver) {
      await nextTurn()
      portion = new Portion()
    }
    connection.release(!written.includes(false))
  }
}
