/**
 * Collects the writes of a turn of the event loop: state that other nodes must know first, then the bytes for clients
 * that depend on it, with one system call per connection.
 */
import type { Logger } from '../log.ts'
import { inSlices, SLICE_MS } from '../util/slices.ts'

/** So many connections are flushed between two looks at the clock, which cost as much as a small write. */
const FLUSHES_PER_LOOK = 4

export interface Flushable {
  flush (): void
}

/** State that must be written before dependent bytes are sent to clients. */
export interface PersistedState {
  /**
   * Writes it. Resolves when it is written; to false where dependent bytes must not be sent any more, which is also so
   * where it throws or rejects.
   */
  flush (): Promise<boolean> | undefined
}

/** A connection to a client. */
export interface Connection extends Flushable {
  /** Holds back the bytes written so far. */
  hold (): void
  /** Writes the oldest held batch; destroys the connection where it must not be sent. */
  release (isPersisted: boolean): void
}

/**
 * One per node: its state, its packets to other nodes and its clients' connections, flushed in this order. State or a
 * packet that fails to be flushed is logged and holds up nothing else.
 */
export class WriteBarrier {
  readonly #log: Logger
  #states: PersistedState[] = []
  #relays: Flushable[] = []
  #connections: Connection[] = []
  #isDue = false
  /** The last turn whose connections wait. */
  #lastHeld: Promise<void> | undefined
  readonly #flush = (): void => { this.#flushAll() }

  constructor (log: Logger) {
    this.#log = log
  }

  /** Whether bytes that are written now have to wait for state: of this turn or of an earlier one. */
  get isWaiting (): boolean {
    return this.#states.length > 0 || this.#lastHeld !== undefined
  }

  /** Flushes the state once, at the end of this turn, before packets and clients' writes. */
  beforeClientWrites (state: PersistedState): void {
    this.#states.push(state)
    this.#flushSoon()
  }

  /** Flushes packets to other nodes once, at the end of this turn, after the persisted state. */
  afterPersisted (relay: Flushable): void {
    this.#relays.push(relay)
    this.#flushSoon()
  }

  /** Flushes a connection once, when the state of this turn and of earlier ones is written. */
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
    const writing = states.map(state => this.#persist(state)).filter(promise => promise !== undefined)
    for (const relay of relays) this.#relay(relay)
    while (this.#relays.length > 0) for (const relay of this.#relays.splice(0)) this.#relay(relay) // of relays
    if (writing.length === 0 && !this.#lastHeld) this.#flushInPortions(written)
    else if (writing.length > 0 || written.length > 0) this.#hold(written, writing)
  }

  #persist (state: PersistedState): Promise<boolean> | undefined {
    try {
      return state.flush()?.catch((error: unknown) => this.#failed(error))
    } catch (error) { // a bug of that state
      return Promise.resolve(this.#failed(error))
    }
  }

  #relay (relay: Flushable): void {
    try { relay.flush() } catch (error) { this.#failed(error) }
  }

  #failed (error: unknown): false {
    this.#log.error({ event: 'barrier.flush_failed', err: error }, 'barrier: flush failed')
    return false
  }

  /** Flushes connections for a slice of time; the others wait for the next turn, and for its state. */
  #flushInPortions (written: readonly Connection[]): void {
    // Its own slice: the results of the turn are written, however long the turn took.
    const until = performance.now() + SLICE_MS
    for (let n = 0; n < written.length; n++) {
      written[n]?.flush()
      if (n % FLUSHES_PER_LOOK === 0 && performance.now() > until) {
        for (const connection of written.slice(n + 1)) this.clientWrites(connection)
        return
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

function * releaseEach (connections: readonly Connection[], isPersisted: boolean): Iterator<void> {
  for (const connection of connections) yield connection.release(isPersisted)
}
