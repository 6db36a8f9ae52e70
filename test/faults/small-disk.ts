/** A small file system in memory (tmpfs) that can be filled and emptied; to mount it takes root, and Linux. */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, rmdirSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const CHUNK_BYTES = 1024 * 1024

/** Why there can be none here, if there can't. */
export function whyNoSmallDisk (): string | undefined {
  if (process.platform !== 'linux') return 'it takes Linux'
  if (process.getuid?.() !== 0) return 'it takes root to mount a file system'
  try {
    SmallDisk.mount(1).unmount()
  } catch (error) { // a container that may not
    return error instanceof Error ? error.message.trim() : String(error)
  }
}

export class SmallDisk {
  readonly path: string

  private constructor (path: string) {
    this.path = path
  }

  static mount (megabytes: number): SmallDisk {
    const path = mkdtempSync(join(tmpdir(), 'small-disk-'))
    try {
      const options = `size=${megabytes}m,mode=755`
      execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'pipe' })
    } catch (error) {
      rmdirSync(path)
      throw error
    }
    return new SmallDisk(path)
  }

  get freeBytes (): number {
    const { bavail, bsize } = statfsSync(this.path)
    return bavail * bsize
  }

  /** Puts ballast on it until so many bytes are left. */
  fill (bytesLeft: number): void {
    const ballast = openSync(this.#ballast, 'a')
    const zeros = Buffer.alloc(CHUNK_BYTES)
    for (;;) {
      const room = this.freeBytes - bytesLeft
      if (room <= 0) break
      writeSync(ballast, zeros, 0, Math.min(room, zeros.length))
    }
    closeSync(ballast)
  }

  /** Takes the ballast away. */
  empty (): void {
    rmSync(this.#ballast, { force: true })
  }

  /** Also while a process that was killed has not quite gone. */
  unmount (): void {
    execFileSync('umount', ['--lazy', this.path])
    rmdirSync(this.path)
  }

  get #ballast (): string {
    return join(this.path, 'ballast')
  }
}
