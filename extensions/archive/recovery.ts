/**
 * Finds the ends of lost archives as soon as the database answers. What turns out to be written although it was refused
 * is handed over then, so that what is in an archive reaches its owner's sessions all the same.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { inBackground } from '../../src/extension/api.ts'
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
  /** Those that failed by themselves, of which an administrator has read. */
  readonly #reported = new WeakSet<Archive>()
  #isRunning = false
  #isStopped = false

  constructor (options: RecoveryOptions) {
    this.#options = options
  }

  /** Opens the archive again when its end is known. */
  add (archive: Archive): void {
    this.#lost.add(archive)
    if (!this.#isRunning) inBackground(this.#options.log, 'opening archives again', this.#run())
  }

  stop (): void {
    this.#isStopped = true
  }

  async #run (): Promise<void> {
    const { log } = this.#options
    this.#isRunning = true
    while (this.#lost.size > 0 && !this.#isStopped) {
      const failed = await this.#recoverAll().catch(error => { // the database's: it is still away
        log.debug({ event: 'archive.recovery_delayed', err: error, archives: this.#lost.size }, 'archive: recovery waits for the database')
        return true
      })
      if (failed) await sleep(RETRY_MS)
    }
    this.#isRunning = false
  }

  /** Each in its turn, and behind them those that have just failed. Whether one has. */
  async #recoverAll (): Promise<boolean> {
    const { db, log } = this.#options
    const archives = [...this.#lost].slice(0, BATCH)
    const reaches = new Map(archives.map(({ owner, reachMs }) => [owner, reachMs]))
    const tails = await loadTails(db, [...reaches.keys()], owner => reaches.get(owner) ?? 0)
    let hasFailed = false
    for (const archive of archives) {
      try {
        await this.#recover(archive, tails.get(archive.owner) ?? EMPTY)
        this.#reported.delete(archive)
        this.#lost.delete(archive)
      } catch (error) { // the database's, or what is wrong is in this archive, and the others go on
        await db.query('select 1')
        hasFailed = true
        this.#lost.delete(archive)
        this.#lost.add(archive)
        if (!this.#reported.has(archive)) {
          log.warn({ event: 'archive.suspended', err: error, owner: archive.owner }, 'archive: suspended until the database is readable')
        }
        this.#reported.add(archive)
      }
    }
    return hasFailed
  }

  async #recover (archive: Archive, tail: Tail): Promise<void> {
    const { db, isOurs, found, reopen } = this.#options
    await isOurs(archive)
    const entries = archive.doubtful.length === 0 ? [] : await findEntries(db, archive.doubtful)
    if (archive.state === 'lost') await found(archive, entries)
    reopen(archive, tail, entries)
  }
}
