/**
 * Connects to the first endpoint that answers: happy eyeballs (RFC 8305, XEP-0495) over all addresses of a priority,
 * one priority after the other.
 */
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { neverRejects } from '../../util/background.ts'
import type { Endpoint } from './endpoint.ts'
import type { Finder } from './finder.ts'

/** RFC 8305 §3: how long addresses wait for those that are preferred to them. */
const RESOLUTION_DELAY_MS = 50
/** RFC 8305 §5: how long an attempt is alone. */
const ATTEMPT_DELAY_MS = 250
/** The time for one priority, so that there is some left for the next. */
const PRIORITY_MS = 10_000
/** Addresses that are tried: DNS may name many that are not its owner's. */
const MAX_ATTEMPTS = 16

export interface Connection {
  readonly socket: Socket
  readonly endpoint: Endpoint
}

/** Rejects with a sentence when none answers, and with the signal's reason when that comes first. */
export async function connect (
  endpoints: readonly Endpoint[], finder: Pick<Finder, 'lookUp'>, signal: AbortSignal,
): Promise<Connection> {
  let failure = new Error('there is nothing to connect to')
  let attempts = MAX_ATTEMPTS
  for (const group of Map.groupBy(endpoints, ({ priority }) => priority).values()) {
    signal.throwIfAborted()
    const race = new Race(group, finder, signal, attempts)
    try {
      return await race.won
    } catch (error) {
      if (error instanceof Error) failure = error
    }
    attempts = race.attempts
    if (attempts === 0) break
  }
  throw failure
}

/** An address, and where it stands among the others: by its host's place, then alternating families. */
interface Candidate {
  readonly endpoint: Endpoint
  readonly address: string
  readonly rank: number
}

/** A lookup is of one family; those of the first host come first, and IPv6 before IPv4. */
interface Lookup { readonly endpoint: Endpoint, readonly family: 4 | 6, readonly place: number }

class Race {
  /** How many more addresses may be tried. */
  attempts: number
  readonly #end = Promise.withResolvers<Connection>()
  readonly #lookups: Set<Lookup>
  readonly #waiting: Candidate[] = []
  readonly #open = new Set<Socket>()
  readonly #deadline: NodeJS.Timeout
  readonly #signal: AbortSignal
  readonly #aborted = (): void => { this.#lose(this.#signal.reason) }
  #next: NodeJS.Timeout | undefined
  #failure = new Error('its host has no address')
  #hasBegun = false
  #isOver = false

  constructor (endpoints: readonly Endpoint[], finder: Pick<Finder, 'lookUp'>, signal: AbortSignal, attempts: number) {
    this.attempts = attempts
    this.#deadline = setTimeout(() => { this.#lose(new Error('it does not answer')) }, PRIORITY_MS)
    this.#signal = signal
    signal.addEventListener('abort', this.#aborted)
    this.#lookups = new Set(endpoints.flatMap((endpoint, place): Lookup[] =>
      [{ endpoint, family: 6, place }, { endpoint, family: 4, place }]))
    for (const lookup of this.#lookups) {
      neverRejects(finder.lookUp(lookup.endpoint.host, lookup.family).then( // both are handled
        addresses => { this.#found(lookup, addresses) },
        (error: unknown) => { this.#found(lookup, [], error) },
      ))
    }
  }

  get won (): Promise<Connection> { return this.#end.promise }

  #found (lookup: Lookup, addresses: readonly string[], error?: unknown): void {
    if (this.#isOver) return
    this.#lookups.delete(lookup)
    if (error instanceof Error) this.#failure = error
    const { endpoint, family, place } = lookup
    for (const [index, address] of addresses.entries()) {
      this.#waiting.push({ endpoint, address, rank: place * 1000 + index * 2 + (family === 6 ? 0 : 1) })
    }
    this.#waiting.sort((one, other) => one.rank - other.rank)
    if (this.#hasBegun) return this.#goOn()
    if (this.#isPreferredOut(lookup)) {
      this.#next ??= setTimeout(() => { this.#attempt() }, RESOLUTION_DELAY_MS)
    } else this.#attempt()
  }

  /** Whether a lookup that comes before this one is not answered yet. */
  #isPreferredOut ({ place, family }: Lookup): boolean {
    return [...this.#lookups].some(other => other.place < place || (other.place === place && other.family > family))
  }

  /** Connects to the next address, where none is being tried, or the last one has had its time. */
  #goOn (): void {
    if (this.#open.size === 0 || !this.#next) this.#attempt()
  }

  #attempt (): void {
    clearTimeout(this.#next)
    this.#next = undefined
    const candidate = this.attempts > 0 ? this.#waiting.shift() : undefined
    if (!candidate) {
      if (this.#open.size === 0 && (this.#lookups.size === 0 || this.attempts === 0)) this.#lose(this.#failure)
      return
    }
    this.attempts--
    this.#hasBegun = true
    const { endpoint, address } = candidate
    const socket = createConnection({ host: address, port: endpoint.port, noDelay: true })
    this.#open.add(socket)
    const failed = (error: NodeJS.ErrnoException): void => {
      this.#open.delete(socket)
      this.#failure = new Error(`it can not be connected to (${error.code ?? error.message})`)
      if (!this.#isOver) this.#attempt()
    }
    socket.once('error', failed).once('connect', () => {
      socket.off('error', failed)
      this.#open.delete(socket)
      this.#win({ socket, endpoint })
    })
    this.#next = setTimeout(() => { this.#attempt() }, ATTEMPT_DELAY_MS)
  }

  #win (connection: Connection): void {
    this.#stop()
    this.#end.resolve(connection)
  }

  #lose (error: unknown): void {
    this.#stop()
    this.#end.reject(error)
  }

  #stop (): void {
    this.#isOver = true
    this.#signal.removeEventListener('abort', this.#aborted)
    clearTimeout(this.#deadline)
    clearTimeout(this.#next)
    for (const socket of this.#open) socket.destroy()
  }
}
