/**
 * Reopens lost archives once the database answers. Refused messages that turn out to be committed are delivered then,
 * so that the owner's sessions get everything that the archive has.
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
  /** Whether this node still owns the archive: another may have written to it. */
  readonly isOurs: (archive: Archive) => Promise<boolean>
  /** Delivers, in order, messages of an archive that were refused and are committed. */
  readonly found: (archive: Archive, entries: readonly Entry[]) => Promise<void>
  /** Told where each archive ends. */
  readonly reopen: (archive: Archive, tail: Tail, found: readonly Entry[]) => void
}

export class Recovery {
  readonly #options: RecoveryOptions
  readonly #lost = new Set<Archive>()
  /** Archives with an error of their own that was logged. */
  readonly #reported = new WeakSet<Archive>()
  #isRunning = false
  #isStopped = false

  constructor (options: RecoveryOptions) {
    this.#options = options
  }

  /** Reopens the archive when its end is known. */
  add (archive: Archive): void {
    this.#lost.add(archive)
    if (!this.#isRunning) inBackground(this.#options.log, 'recovery of archives', this.#run())
  }

  stop (): void {
    this.#isStopped = true
  }

  async #run (): Promise<void> {
    const { log } = this.#options
    this.#isRunning = true
    while (this.#lost.size > 0 && !this.#isStopped) {
      const failed = await this.#recoverAll().catch(error => { // the database's: it is still away
        log.debug(
          { event: 'archive.recovery_delayed', err: error, archives: this.#lost.size },
          'archive: recovery waits for the database',
        )
        return true
      })
      if (failed) await sleep(RETRY_MS)
    }
    this.#isRunning = false
  }

  /** In turn; archives that have just failed come last. Returns whether one has failed. */
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
      } catch (error) { // the database's, or this archive's own error, and the others go on
        await db.query('select 1')
        hasFailed = true
        this.#lost.delete(archive)
        this.#lost.add(archive)
        if (!this.#reported.has(archive)) {
          log.warn(
            { event: 'archive.suspended', err: error, owner: archive.owner },
            'archive: suspended until the database is readable',
          )
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
