/** An archive in memory, with its account: its last number, and what came lately. */
import { BUSY_MESSAGES, RECENT_MESSAGES } from './store.ts'
import type { Entry, Tail } from './store.ts'

export class Archive {
  readonly owner: string
  /** For so long every message is recent, however many there are. */
  readonly reachMs: number
  /**
   * While it is `lost`, something could not be written, and nobody knows where it ends. Of a `closed` one there is no
   * account. One that has `left` is numbered by another node.
   */
  state: 'open' | 'lost' | 'closed' | 'left' = 'open'
  /** The commit that the last number waits for. */
  pending: Promise<void> | undefined
  /** What was refused and may be written all the same, until its number is another's. */
  doubtful: readonly Entry[] = []
  /** All up to there has been handed to who was there for it. */
  handedOver: number
  #last: number
  /** Numbers by fingerprints. The oldest go all at once: a map that loses its first entry over and over is slow. */
  #recent: Map<string, number>
  #older: ReadonlyMap<string, number> = new Map()
  /** When the first of `#recent` came, by the clock of this process. */
  #since = performance.now()

  constructor (owner: string, { last, recent }: Tail, reachMs = 0) {
    this.owner = owner
    this.reachMs = reachMs
    this.#last = this.handedOver = last
    this.#recent = new Map(recent)
  }

  /** The number that was given out last. */
  get last (): number {
    return this.#last
  }

  /** Whether there never was anything in it. */
  get isEmpty (): boolean {
    return this.#last === 0
  }

  /** The first number that is given out is the one after that, where none was yet. */
  beginAfter (seq: number): void {
    if (this.isEmpty) this.#last = seq
  }

  /** The next number, from now on that of a message with this fingerprint. */
  next (fingerprint: string | undefined): number {
    const seq = ++this.#last
    if (fingerprint !== undefined) this.#remember(fingerprint, seq)
    return seq
  }

  /** When what is on its way to the database is there, or was refused. */
  async settled (): Promise<void> {
    await this.pending?.catch(() => {}) // whoever sent it heard of it
  }

  /** The number of a recent message with this fingerprint. */
  find (fingerprint: string | undefined): number | undefined {
    return fingerprint === undefined ? undefined : this.#recent.get(fingerprint) ?? this.#older.get(fingerprint)
  }

  /** Goes on from where it ends in the database, where these of the doubtful entries were found. */
  reopen ({ last, recent }: Tail, found: readonly Entry[]): void {
    this.#last = found.reduce((end, entry) => Math.max(end, entry.seq), last)
    this.#recent = new Map(recent)
    this.#older = new Map()
    for (const { fingerprint, seq } of found) if (fingerprint !== undefined) this.#remember(fingerprint, seq)
    this.doubtful = this.doubtful.filter(entry => !found.includes(entry))
    if (this.state === 'lost') this.state = 'open'
  }

  #remember (fingerprint: string, seq: number): void {
    this.#recent.set(fingerprint, seq)
    const { size } = this.#recent
    if (size < RECENT_MESSAGES || (size < BUSY_MESSAGES && performance.now() < this.#since + this.reachMs)) return
    this.#older = this.#recent
    this.#recent = new Map()
    this.#since = performance.now()
  }
}
