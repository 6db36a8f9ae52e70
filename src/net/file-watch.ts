/**
 * Tells when files may have changed: written in place, replaced by a rename, or behind a symlink that was swapped
 * (certbot, Kubernetes). Watches their folders, and looks again each hour for file systems that tell nothing.
 */
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Logger } from '../log.ts'
import { inBackground } from '../util/background.ts'

const SETTLE_MS = 300
const LOOK_AGAIN_MS = 3600_000

/** Calls `changed` once after a burst of changes; it may be called for nothing. */
export class FileWatch {
  readonly #changed: () => Promise<void>
  readonly #log: Logger
  readonly #files = new Set<string>()
  readonly #folders = new Map<string, FSWatcher>()
  readonly #lookAgain: NodeJS.Timeout
  #settling: NodeJS.Timeout | undefined
  #isClosed = false

  constructor (changed: () => Promise<void>, log: Logger) {
    this.#changed = changed
    this.#log = log
    this.#lookAgain = setInterval(() => this.#settle(), LOOK_AGAIN_MS).unref()
  }

  async add (...files: readonly string[]): Promise<void> {
    for (const file of files) this.#files.add(resolve(file))
    await this.renew()
  }

  /** Watches the folders where the files are by now: a symlink may lead elsewhere than before. */
  async renew (): Promise<void> {
    const wanted = new Set<string>()
    for (const file of this.#files) {
      wanted.add(dirname(file))
      // A file that is missing for the moment has no other place.
      wanted.add(dirname(await realpath(file).catch(() => file)))
    }
    if (this.#isClosed) return
    for (const folder of this.#folders.keys()) if (!wanted.has(folder)) this.#leave(folder)
    for (const folder of wanted) this.#enter(folder)
  }

  close (): void {
    this.#isClosed = true
    clearInterval(this.#lookAgain)
    clearTimeout(this.#settling)
    for (const folder of this.#folders.keys()) this.#leave(folder)
  }

  #enter (folder: string): void {
    if (this.#folders.has(folder)) return
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#settle())
      watcher.on('error', () => this.#leave(folder))
      this.#folders.set(folder, watcher)
    } catch (err) {
      // The folder is gone, or the system has no watch left to give: looking again each hour must do.
      this.#log.warn({ err, folder }, 'changes of this folder are seen late')
    }
  }

  #leave (folder: string): void {
    this.#folders.get(folder)?.close()
    this.#folders.delete(folder)
  }

  #settle (): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined
      inBackground(this.#log, 'reading files that have changed', this.#changed())
    }, SETTLE_MS).unref()
  }
}
