/**
 * The lock of a data folder, for one process. The kernel releases it when the process dies: no stale lock, no reused
 * pid, no race. (It is an fcntl lock, taken through SQLite, because Node has no call for it; the file stays empty.) A
 * pid file beside it names the process.
 */

import { access, constants, mkdir, readFile } from 'node:fs/promises'
import { rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'

const SQLITE_BUSY = 5
const PID_FILE = 'heliograph.pid'

/** A locked data folder. */
export interface DataFolder {
  readonly path: string
  release (): Promise<void>
}

/** Creates the folder if necessary and locks it; rejects with a sentence that names the process that holds it. */
export async function lockDataFolder (dataDir: string): Promise<DataFolder> {
  const path = resolve(dataDir)
  await makeWritable(path)
  const lock = takeLock(path)
  if (!lock) throw new Error(`${path} is in use by another Heliograph, process ${await readHolder(path)}`)
  const pidFile = join(path, PID_FILE)
  writeFileSync(pidFile, `${process.pid}\n`)
  return {
    path,
    async release () {
      if (!lock.isOpen) return
      rmSync(pidFile, { force: true })
      lock.close()
    },
  }
}

async function makeWritable (path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await access(path, constants.W_OK | constants.X_OK)
  } catch (error) { // EACCES, EEXIST (a file), EROFS …
    throw new Error(`the data folder ${path} can't be made or written: ${describe(error)}`, { cause: error })
  }
}

function takeLock (path: string): DatabaseSync | undefined {
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(join(path, 'lock'))
    lock.exec('begin exclusive')
    return lock
  } catch (error) { // SQLITE_BUSY when another holds it; anything else is about the file
    lock?.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return undefined
    throw new Error(`the data folder ${path} can't be locked: ${describe(error)}`, { cause: error })
  }
}

/** The holder writes its pid right after it took the lock: a missing pid is read again. */
async function readHolder (path: string): Promise<string> {
  for (let tries = 0; tries < 50; tries++) {
    const pid = await readFile(join(path, PID_FILE), 'utf8').catch(() => '') // not written yet
    if (Number(pid) > 0 && isAlive(Number(pid))) return pid.trim()
    await setTimeout(10)
  }
  return 'unknown'
}

function isAlive (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) { // ESRCH: gone; EPERM: another user's
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function describe (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
