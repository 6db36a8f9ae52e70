/**
 * The embedded PostgreSQL's folder: its owner, its creation, the path of its socket, and the end of a PostgreSQL that a
 * killed Heliograph has left running.
 */

import { execFile } from 'node:child_process'
import { chown, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Logger } from '../log.ts'
import { ENVIRONMENT, type RunAs } from './embedded-binaries.ts'

const SUPERUSER = 'heliograph'
const SOCKET = '.s.PGSQL.5432'
const SOCKET_PATH_BYTES = 103 // the limit of every platform; Linux has 107
const POLL_MS = 20
const ORPHAN_TIMEOUT_MS = 30_000

/**
 * The folder as an argument of PostgreSQL's programs, which are started in it: another user can't access its path in a
 * checkout under /root.
 */
export function folderArgument (folder: string): string {
  return process.platform === 'linux' ? '/proc/self/cwd' : folder
}

/** Settings for a laptop, which an administrator may change in postgresql.conf. Commits are durable by default. */
const SETTINGS = {
  max_connections: 40,
  shared_buffers: '32MB',
  max_wal_size: '256MB',
  io_method: 'sync', // the three processes of `worker` are for large scans
  wal_level: 'minimal', // no replica reads it
  max_wal_senders: 0,
  max_logical_replication_workers: 0,
  max_worker_processes: 2,
  max_parallel_workers_per_gather: 0,
  autovacuum_max_workers: 2,
  autovacuum_worker_slots: 2,
  jit: 'off',
}

/** The user to run PostgreSQL as: for root the folder's owner or its future one, otherwise the current user. */
export async function chooseUser (folder: string): Promise<RunAs | undefined> {
  const owner = await stat(folder).catch(() => undefined) // the folder does not exist before the first start
  const own = process.getuid?.() ?? 0
  if (own !== 0) {
    if (!owner || owner.uid === own) return undefined
    throw new Error(`${folder} belongs to the user with id ${owner.uid}: start as that user, or as root`)
  }
  if (owner?.uid === 0) {
    throw new Error(`${folder} belongs to root, as which PostgreSQL does not run: chown -R it to another user`)
  }
  return owner ? { uid: owner.uid, gid: owner.gid } : findUser()
}

async function findUser (): Promise<RunAs> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map(line => line.split(':'))
  const entry = lines.find(([name]) => name === 'postgres') ?? lines.find(([name]) => name === 'nobody')
  if (!entry) throw new Error('PostgreSQL does not run as root, and there is neither a user postgres nor nobody')
  return { uid: Number(entry[2]), gid: Number(entry[3]) }
}

/**
 * Creates the database cluster unless it exists: in a draft folder, which is renamed once it is complete and on disk.
 */
export async function createCluster (folder: string, native: string, runAs: RunAs | undefined): Promise<void> {
  if (await stat(folder).catch(() => undefined)) return
  const draft = `${folder}.new`
  await rm(draft, { recursive: true, force: true, maxRetries: 5 })
  await mkdir(draft, { mode: 0o700 })
  if (runAs) await chown(draft, runAs.uid, runAs.gid)
  try {
    await promisify(execFile)(join(native, 'bin', 'initdb'), [
      '-D', folderArgument(draft), '-U', SUPERUSER, '--auth=trust', '--encoding=UTF8', '--locale=C',
      '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--sync-method=syncfs', '--no-instructions',
      ...Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ], { ...runAs, cwd: draft, env: ENVIRONMENT })
  } catch (error) { // a full disk; a user that /etc/passwd doesn't know
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
    throw new Error(`PostgreSQL can't make its database in ${draft}: ${said || String(error)}`, { cause: error })
  }
  await rename(draft, folder)
  await syncFolder(join(folder, '..'))
}

async function syncFolder (path: string): Promise<void> {
  await using folder = await open(path)
  await folder.sync()
}

/** A path of the folder that is short enough for a socket address, valid in this process until it is disposed of. */
export interface SocketPath extends AsyncDisposable {
  readonly folder: string
}

export async function openSocketPath (folder: string): Promise<SocketPath> {
  if (Buffer.byteLength(join(folder, SOCKET)) <= SOCKET_PATH_BYTES) {
    return { folder, async [Symbol.asyncDispose] () {} }
  }
  if (process.platform !== 'linux') throw new Error(`${folder} is too long a path for a socket: choose a shorter one`)
  const handle = await open(folder)
  return { folder: `/proc/self/fd/${handle.fd}`, [Symbol.asyncDispose]: () => handle.close() }
}

/** The URL for `pg` and libpq. */
export function socketUrl (path: SocketPath): string {
  return `postgres://${SUPERUSER}@localhost/postgres?host=${encodeURIComponent(path.folder)}`
}

/**
 * Ends the PostgreSQL of a killed Heliograph, so that none of its transactions is committed after this process begins
 * to read, and removes the lock file of a killed PostgreSQL. The caller holds the data folder's lock.
 */
export async function endOrphan (folder: string, path: SocketPath, log: Logger): Promise<void> {
  const lockFile = join(folder, 'postmaster.pid')
  const pid = await readPid(lockFile)
  if (pid === undefined) return
  if (await isServing(path)) await endServer(pid, lockFile, log)
  // The pid may be another program's by now, for which PostgreSQL would wait for ever. If processes of the old one are
  // left, the new one detects them by their shared memory, and is started again until they have ended.
  await rm(lockFile, { force: true })
}

async function endServer (pid: number, lockFile: string, log: Logger): Promise<void> {
  log.warn({ event: 'database.orphan_stopped', pid },
    'database: stopping the PostgreSQL that a killed server left running')
  const since = Date.now()
  if (await isAlive(pid)) process.kill(pid, 'SIGINT') // rolls back what is open, writes a checkpoint
  while (await readPid(lockFile) === pid && await isAlive(pid)) {
    if (Date.now() - since > ORPHAN_TIMEOUT_MS) throw new Error(`PostgreSQL, process ${pid}, does not end: kill it`)
    await setTimeout(POLL_MS)
  }
}

async function readPid (lockFile: string): Promise<number | undefined> {
  const text = await readFile(lockFile, 'utf8').catch(() => '') // it does not exist after an orderly end
  const pid = Number.parseInt(text, 10)
  return pid > 0 ? pid : undefined
}

/** Whether the process runs; a zombie still has its pid. */
async function isAlive (pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch { // ESRCH
    return false
  }
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '') // gone, or not Linux
  return !/^\d+ \(.*\) Z/.test(status)
}

function isServing (path: SocketPath): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(join(path.folder, SOCKET))
    socket.once('connect', () => { socket.destroy(); resolve(true) })
    socket.once('error', error => { // ENOENT, ECONNREFUSED: nobody listens; any other: a busy server
      resolve(!('code' in error) || !['ENOENT', 'ECONNREFUSED'].includes(String(error.code)))
    })
  })
}
