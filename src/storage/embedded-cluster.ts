/**
 * The embedded PostgreSQL's folder: who owns it, how it is made, how its socket is reached, and what a Heliograph that
 * was killed may have left running in it.
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
const SOCKET_PATH_BYTES = 103 // what every platform takes; Linux 107
const POLL_MS = 20
const PATIENCE_MS = 30_000

/**
 * How PostgreSQL's programs are told their folder: they are started in it. So they need not be able to come by its
 * path, which, in a checkout under /root, no user but root is.
 */
export function folderArgument (folder: string): string {
  return process.platform === 'linux' ? '/proc/self/cwd' : folder
}

/** What a laptop can spare; an administrator may change it in the folder's postgresql.conf. Durable is the default. */
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

/** As root: the folder's owner, or who is to own it, since PostgreSQL refuses root. Otherwise nobody but ourselves. */
export async function chooseUser (folder: string): Promise<RunAs | undefined> {
  const owner = await stat(folder).catch(() => undefined) // there is none before the first start
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

/** Makes the database cluster, unless there is one: it appears under its name only when it is complete and on disk. */
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

/** A way to the folder's socket for this process, short enough for a socket address however long the path is. */
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

/** What `pg` and libpq take. */
export function socketUrl (path: SocketPath): string {
  return `postgres://${SUPERUSER}@localhost/postgres?host=${encodeURIComponent(path.folder)}`
}

/**
 * Ends the PostgreSQL of a Heliograph that was killed, so that nothing of that one's is committed after we have begun
 * to read, and clears away the lock file of one that was killed itself. The caller holds the data folder's lock.
 */
export async function endOrphan (folder: string, path: SocketPath, log: Logger): Promise<void> {
  const lockFile = join(folder, 'postmaster.pid')
  const pid = await readPid(lockFile)
  if (pid === undefined) return
  if (await isServing(path)) await endServer(pid, lockFile, log)
  // Its pid may by now be another program's, for which PostgreSQL would wait for ever. Should processes of the old one
  // be left after all, the new one sees them by their shared memory, and is started again until they are gone.
  await rm(lockFile, { force: true })
}

async function endServer (pid: number, lockFile: string, log: Logger): Promise<void> {
  log.warn({ event: 'database.orphan_stopped', pid }, 'database: stopping the PostgreSQL that a killed server left running')
  const since = Date.now()
  if (await isAlive(pid)) process.kill(pid, 'SIGINT') // rolls back what is open, writes a checkpoint
  while (await readPid(lockFile) === pid && await isAlive(pid)) {
    if (Date.now() - since > PATIENCE_MS) throw new Error(`PostgreSQL, process ${pid}, does not end: kill it`)
    await setTimeout(POLL_MS)
  }
}

async function readPid (lockFile: string): Promise<number | undefined> {
  const text = await readFile(lockFile, 'utf8').catch(() => '') // there is none after an orderly end
  const pid = Number.parseInt(text, 10)
  return pid > 0 ? pid : undefined
}

/** A process that is dead and not yet collected by its parent still has its pid. */
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
    socket.once('error', error => { // ENOENT, ECONNREFUSED: nobody listens; else one that has no time
      resolve(!('code' in error) || !['ENOENT', 'ECONNREFUSED'].includes(String(error.code)))
    })
  })
}
