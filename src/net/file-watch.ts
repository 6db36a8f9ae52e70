/**
 * Notifies of possible changes of files: written in place, replaced by a rename, or behind a symlink or folder that was
 * swapped (certbot, Kubernetes, `mv`). Watches by path, so that a replaced folder is watched, too, and notifies every
 * hour for file systems without events.
 */
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import type { Logger } from '../log.ts'
import { inBackground } from '../util/background.ts'

const SETTLE_MS = 300
const LOOK_AGAIN_MS = 3600_000

/** The relevant entries of a folder: the names on the paths to the files, or all entries where it contains files. */
interface Wanted {
  readonly names: Set<string>
  hasFiles: boolean
}

interface Watched {
  readonly watcher: FSWatcher
  /** The device and inode of the watched folder. */
  readonly identity: string
}

/** Calls `changed` once after a burst of changes, and sometimes without any. */
export class FileWatch {
  readonly #changed: () => Promise<void>
  readonly #log: Logger
  readonly #files = new Set<string>()
  readonly #folders = new Map<string, Watched>()
  readonly #lookAgain: NodeJS.Timeout
  #wanted = new Map<string, Wanted>()
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

  /** Watches the current folders on the paths of the files: symlinks and folders may have been replaced. */
  async renew (): Promise<void> {
    const wanted = new Map<string, Wanted>()
    for (const file of this.#files) {
      want(wanted, file)
      // A missing file has no real path.
      want(wanted, await realpath(file).catch(() => file))
    }
    const identities = new Map<string, string>()
    for (const folder of wanted.keys()) identities.set(folder, await identityOf(folder))
    if (this.#isClosed) return
    this.#wanted = wanted
    for (const [folder, { identity }] of this.#folders) if (identities.get(folder) !== identity) this.#leave(folder)
    for (const [folder, identity] of identities) if (identity !== '') this.#enter(folder, identity)
  }

  close (): void {
    this.#isClosed = true
    clearInterval(this.#lookAgain)
    clearTimeout(this.#settling)
    for (const folder of this.#folders.keys()) this.#leave(folder)
  }

  #enter (folder: string, identity: string): void {
    if (this.#folders.has(folder)) return
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => this.#heard(folder, name))
      watcher.on('error', () => this.#leave(folder))
      this.#folders.set(folder, { watcher, identity })
    } catch (err) {
      // It is gone or not readable, or the system has no watch left: the hourly notification remains.
      if (!this.#wanted.get(folder)?.hasFiles) return
      this.#log.warn({ event: 'certificate.watch_failed', err, folder },
        'certificate: folder not watched, looking every hour')
    }
  }

  #heard (folder: string, name: string | null): void {
    const wanted = this.#wanted.get(folder)
    if (name === null || wanted?.hasFiles || wanted?.names.has(name)) this.#settle()
  }

  #leave (folder: string): void {
    this.#folders.get(folder)?.watcher.close()
    this.#folders.delete(folder)
  }

  #settle (): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined
      inBackground(this.#log, 'reload of changed files', this.#changed())
    }, SETTLE_MS).unref()
  }
}

/** Adds the folder of the file, and each one above it, in which the next entry on the path may be replaced. */
function want (wanted: Map<string, Wanted>, file: string): void {
  for (let path = file; dirname(path) !== path; path = dirname(path)) {
    const folder = dirname(path)
    const known = wanted.get(folder) ?? { names: new Set(), hasFiles: false }
    known.names.add(basename(path))
    known.hasFiles ||= path === file
    wanted.set(folder, known)
  }
}

/** The device and inode of the folder; empty where there is none at this path. */
async function identityOf (folder: string): Promise<string> {
  return stat(folder).then(({ dev, ino }) => `${dev}:${ino}`, () => '')
}
