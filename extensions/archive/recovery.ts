/**
 * Finds the ends of lost archives as soon as the database answers. What turns out to be written although it was refused
 * is handed over then, so that what is in an archive reaches its owner's sessions all the same.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database, Logger } from '../../src/extension/api.ts'
import type { Archive } from './archive.ts'
import { EMPTY, findEntries, loadTails } from './store.ts'
import type { Entry, Tail } from './store.ts'

const RETRY_MS = 200
const BATCH = 500

export interface RecoveryOptions {
  readonly db: Database
  readonly log: Logger
  /** Whether this node is to number it still: another may have written to it. */
  readonly isOurs: (archive: Archive) => Promise<boolean>
  /** Hands over, in their order, messages of an archive that are there although they were refused. */
  readonly found: (archive: Archive, entries: readonly Entry[]) => Promise<void>
  /** Told where each archive ends. */
  readonly reopen: (archive: Archive, tail: Tail, found: readonly Entry[]) => void
}

export class Recovery {
  readonly #options: RecoveryOptions
  readonly #lost = new Set<Archive>()
  #isRunning = false
  #isStopped = false

  constructor (options: RecoveryOptions) {
    this.#options = options
  }

  /** Opens the archive again when its end is known. */
  add (archive: Archive): void {
    this.#lost.add(archive)
    if (!this.#isRunning) void this.#run()
  }

  stop (): void {
    this.#isStopped = true
  }

  async #run (): Promise<void> {
    this.#isRunning = true
    while (this.#lost.size > 0 && !this.#isStopped) {
      try {
        await this.#recover([...this.#lost].slice(0, BATCH))
      } catch (error) { // the database's: it is still away
        this.#options.log.debug({ err: error, archives: this.#lost.size }, 'archives wait for the database')
        await sleep(RETRY_MS)
      }
    }
    this.#isRunning = false
  }

  async #recover (archives: readonly Archive[]): Promise<void> {
    const { db, isOurs, found, reopen } = this.#options
    await Promise.all(archives.map(isOurs))
    const reaches = new Map(archives.map(({ owner, reachMs }) => [owner, reachMs]))
    const tails = await loadTails(db, [...reaches.keys()], owner => reaches.get(owner) ?? 0)
    for (const archive of archives) {
      const entries = archive.doubtful.length === 0 ? [] : await findEntries(db, archive.doubtful)
      if (archive.state === 'lost') await found(archive, entries)
      reopen(archive, tails.get(archive.owner) ?? EMPTY, entries)
      this.#lost.delete(archive)
    }
  }
}
