/** An account in memory: a local user with the sessions that are bound here and the data that was loaded with it. */
import type { Jid } from '../xmpp/jid.ts'
import type { Session } from './session.ts'

function ignore (): void {}

/** What is delivered after one commit. */
interface Deliveries {
  readonly wait: Promise<void>
  /** In their order; one that is added while they run is run, too. */
  readonly tasks: (() => void)[]
  /** Those that are run even if the commit fails. */
  readonly others: Set<() => void>
  readonly done: Promise<void>
}

export class Account {
  /** Bare. */
  readonly jid: Jid
  /** An anonymous account is gone with its last session and keeps nothing. */
  readonly isAnonymous: boolean
  #sessions: readonly Session[] = []
  readonly #data = new Map<symbol, unknown>()
  #last: Deliveries | undefined
  /** Called when something of its sessions changes that other nodes must know to go on with them. */
  touch: () => void = ignore

  constructor (jid: Jid, isAnonymous = false) {
    this.jid = jid
    this.isAnonymous = isAnonymous
  }

  /** In the order in which they were bound; a new list after every change. */
  get sessions (): readonly Session[] {
    return this.#sessions
  }

  session (resource: string): Session | undefined {
    for (const session of this.#sessions) if (session.jid.resource === resource) return session
  }

  add (session: Session): void {
    this.#sessions = [...this.#sessions, session]
  }

  /** Whether it was there. */
  remove (session: Session): boolean {
    const others = this.#sessions.filter(s => s !== session)
    const wasThere = others.length < this.#sessions.length
    this.#sessions = others
    return wasThere
  }

  /** Whether something is to be delivered after a commit, and so all else after it. */
  get isWaiting (): boolean {
    return this.#last !== undefined
  }

  /** As `Commits.inOrder`: what is delivered to the account keeps its archive's order. */
  deliverInOrder (committed: Promise<void> | undefined, task: () => void): void | Promise<void> {
    const wait = committed ?? this.#last?.wait
    if (!wait) return task()
    if (this.#last?.wait !== wait) this.#last = this.#waitFor(wait)
    const { tasks, others, done } = this.#last
    tasks.push(task)
    if (committed) return done
    others.add(task)
    return done.catch(() => {}) // whose commit it is hears of it
  }

  /** A promise for all deliveries of a commit, since there are many of them. */
  #waitFor (wait: Promise<void>): Deliveries {
    const tasks: (() => void)[] = []
    const others = new Set<() => void>()
    const run = (due: Iterable<() => void>): void => {
      try {
        runAll(due)
      } finally {
        if (this.#last === deliveries) this.#last = undefined
      }
    }
    const done = wait.then(() => { run(tasks) }, error => {
      run(others)
      throw error
    })
    const deliveries = { wait, tasks, others, done }
    return deliveries
  }

  /** Takes all sessions out: they go on elsewhere. */
  clear (): readonly Session[] {
    const sessions = this.#sessions
    this.#sessions = []
    return sessions
  }

  data (key: symbol): unknown {
    return this.#data.get(key)
  }

  setData (key: symbol, value: unknown): void {
    this.#data.set(key, value)
  }
}

/** Runs them all; throws the first thing that one of them threw. */
function runAll (tasks: Iterable<() => void>): void {
  const failures: unknown[] = []
  for (const task of tasks) {
    try { task() } catch (error) { failures.push(error) } // a mistake of ours: it is thrown on
  }
  if (failures.length > 0) throw failures[0]
}

/** A loader that runs when an account comes into memory, and the typed access to what it gave. */
export interface DataSlot<T> {
  readonly key: symbol
  load (account: Jid): Promise<T>
}

/** Reads and replaces one slot's value; an account without it is a mistake of ours. */
export function dataOf<T> (slot: DataSlot<T>): { of (account: Account): T, set (account: Account, value: T): void } {
  return {
    of: account => account.data(slot.key) as T,
    set: (account, value) => { account.setData(slot.key, value) },
  }
}
