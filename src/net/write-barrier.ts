/**
 * Collects the writes of a turn of the event loop: state that other nodes must know first, then the bytes for clients
 * that depend on it, with one system call per connection.
 */
import { inSlices, SLICE_MS } from '../util/slices.ts'

export interface Flushable {
  flush (): void
}

/** State that must be written before dependent bytes are sent to clients. */
export interface PersistedState {
  /** Writes it. Resolves when it is written; to false where dependent bytes must not be sent any more. */
  flush (): Promise<boolean> | undefined
}

/** A connection to a client. */
export interface Connection extends Flushable {
  /** Holds back the bytes written so far. */
  hold (): void
  /** Writes the oldest held batch, or destroys the connection if persistence failed. */
  release (mayBeSaid: boolean): void
}

/** One per node: its state, its packets to other nodes and its clients' connections, flushed in this order. */
export class WriteBarrier {
  #states: PersistedState[] = []
  #relays: Flushable[] = []
  #connections: Connection[] = []
  #isDue = false
  /** The last turn whose connections wait. */
  #lastHeld: Promise<void> | undefined
  readonly #flush = (): void => { this.#flushAll() }

  /** Flushed once, after everything that arrived in this turn was handled, and before all others. */
  beforeClientWrites (state: PersistedState): void {
    this.#states.push(state)
    this.#flushSoon()
  }

  /** The same for packets to other nodes, after the persisted state. */
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
    // A slice of its own: what has come of the turn is written, however long that took.
    const until = performance.now() + SLICE_MS
    for (const [index, connection] of written.entries()) {
      connection.flush()
      if (performance.now() > until && index + 1 < written.length) {
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

async function release (
  connections: readonly Connection[], writing: readonly Promise<boolean>[], before: Promise<void> | undefined,
): Promise<void> {
  const written = await Promise.all(writing)
  await before
  await inSlices(releaseEach(connections, !written.includes(false)))
}

function * releaseEach (connections: readonly Connection[], mayBeSaid: boolean): Iterator<void> {
  for (const connection of connections) yield connection.release(mayBeSaid)
}
