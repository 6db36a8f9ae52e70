/** An archive in memory, with its account or room: its last number, and recent messages for deduplication. */
import { BUSY_MESSAGES, RECENT_MESSAGES } from './store.ts'
import type { Entry, Tail } from './store.ts'

export class Archive {
  readonly owner: string
  /** For this time every message counts as recent, however many there are. */
  readonly reachMs: number
  /**
   * `lost`: a write failed, and the archive's end is unknown. `closed`: its account is gone. `left`: another node
   * numbers it.
   */
  state: 'open' | 'lost' | 'closed' | 'left' = 'open'
  /** The commit of the last number. */
  pending: Promise<void> | undefined
  /** Entries that were refused and may be committed all the same, until their numbers are reused. */
  doubtful: readonly Entry[] = []
  /** The archive number up to which sessions have been given everything. */
  handedOver: number
  #last: number
  /**
   * Numbers by fingerprint. The oldest are dropped together: a map that loses its first entry over and over is slow.
   */
  #recent: Map<string, number>
  #older: ReadonlyMap<string, number> = new Map()
  /** The time of the first entry of `#recent`, by the clock of this process. */
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

  /** Whether the archive has never had an entry. */
  get isEmpty (): boolean {
    return this.#last === 0
  }

  /** The number after which an empty archive begins. */
  beginAfter (seq: number): void {
    if (this.isEmpty) this.#last = seq
  }

  /** The next number, recorded for a message with this fingerprint. */
  next (fingerprint: string | undefined): number {
    const seq = ++this.#last
    if (fingerprint !== undefined) this.#remember(fingerprint, seq)
    return seq
  }

  /** Resolves when all writes in flight are committed or refused. */
  async settled (): Promise<void> {
    await this.pending?.catch(() => {}) // whoever sent it heard of it
  }

  /** The number of a recent message with this fingerprint. */
  find (fingerprint: string | undefined): number | undefined {
    return fingerprint === undefined ? undefined : this.#recent.get(fingerprint) ?? this.#older.get(fingerprint)
  }

  /** Continues from the archive's end in the database, in which these of the doubtful entries were found. */
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
