/**
 * Collects what a turn of the event loop writes, so that it leaves with one system call for each connection: first what
 * other nodes must know before clients do, then what clients are sent, once the former is written.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'

export interface Flushable {
  flush (): void
}

/** Keeps what must not be known less than what clients were sent. */
export interface PersistedState {
  /** Writes it. Resolves when it is written; to false where clients must not be sent what it is about any more. */
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

let keepers: PersistedState[] = []
let relays: Flushable[] = []
let connections: Connection[] = []
let isDue = false
/** The last turn whose connections wait. */
let lastHeld: Promise<void> | undefined

/** Flushes once, after everything that has arrived in this turn was dealt with, and before all others. */
export function beforeClientWrites (keeper: PersistedState): void {
  keepers.push(keeper)
  flushSoon()
}

/** The same, for what goes to other nodes behind what was kept. */
export function afterPersisted (relay: Flushable): void {
  relays.push(relay)
  flushSoon()
}

/** The same, when all is kept that this turn or one before has to keep. */
export function clientWrites (connection: Connection): void {
  connections.push(connection)
  flushSoon()
}

function flushSoon (): void {
  if (isDue) return
  isDue = true
  setImmediate(flushAll)
}

function flushAll (): void {
  const [kept, told, written] = [keepers, relays, connections]
  keepers = []
  relays = []
  connections = []
  isDue = false
  const keeping = kept.map(keeper => keeper.flush()).filter(promise => promise !== undefined)
  for (const relay of told) relay.flush()
  if (keeping.length === 0 && !lastHeld) flushInPortions(written)
  else if (keeping.length > 0 || written.length > 0) hold(written, keeping)
}

/** What is left waits for the next turn, and for what is to be kept before that. */
function flushInPortions (written: readonly Connection[]): void {
  const portion = new Portion()
  for (const [index, connection] of written.entries()) {
    connection.flush()
    if (portion.isOver && index + 1 < written.length) {
      connections = written.slice(index + 1)
      return flushSoon()
    }
  }
}

class Portion {
  readonly #until = performance.now() + PORTION_MS

  get isOver (): boolean {
    return performance.now() > this.#until
  }
}

/** Turns are released in their order: a connection may be in several. */
function hold (connections: readonly Connection[], keeping: readonly Promise<boolean>[]): void {
  for (const connection of connections) connection.hold()
  const before = lastHeld
  const held = release(connections, keeping, before).finally(() => { if (lastHeld === held) lastHeld = undefined })
  lastHeld = held
}

async function release (
  connections: readonly Connection[], keeping: readonly Promise<boolean>[], before: Promise<void> | undefined,
): Promise<void> {
  const kept = await Promise.all(keeping)
  await before
  let portion = new Portion()
  for (const connection of connections) {
    if (portion.isOver) {
      await nextTurn()
      portion = new Portion()
    }
    connection.release(!kept.includes(false))
  }
}
