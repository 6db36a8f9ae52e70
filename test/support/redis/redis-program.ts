/** The redis-server for tests: the one in PATH, or Debian's, which is fetched where there is none. */
import { execFileSync } from 'node:child_process'
import { accessSync, constants, globSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

const PACKAGE = 'redis-server'
const PROGRAM = 'usr/bin/redis-server'

export interface RedisProgram { readonly path: string, readonly env: NodeJS.ProcessEnv }

let found: RedisProgram | { readonly missing: string } | undefined

/** Where it is and what it needs, or why there is none. */
export function findRedis (): RedisProgram | { readonly missing: string } {
  found ??= search()
  return found
}

function search (): RedisProgram | { readonly missing: string } {
  const installed = inPath() ?? inCache()
  if (installed) return installed
  try {
    return process.getuid?.() === 0 ? install() : unpack()
  } catch (error) { // no apt, no network
    const reason = error instanceof Error ? error.message : String(error)
    return { missing: `there is no redis-server, and it can't be fetched: ${reason}` }
  }
}

function inPath (): RedisProgram | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of ['redis-server', 'valkey-server']) {
      const path = join(folder, name)
      if (isExecutable(path)) return { path, env: process.env }
    }
  }
  return undefined
}

function install (): RedisProgram {
  // RUNLEVEL=1 keeps invoke-rc.d from starting the service that the package brings.
  const env = { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' }
  run('apt-get', ['-q', 'update'], env)
  run('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', 'install', '-y', '--no-install-recommends', PACKAGE], env)
  return inPath() ?? fail(`the package ${PACKAGE} has brought no redis-server`)
}

function cacheFolder (): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'heliograph-test')
}

function inCache (): RedisProgram | undefined {
  const root = join(cacheFolder(), 'redis')
  const path = join(root, PROGRAM)
  if (!isExecutable(path)) return undefined
  const libraries = globSync('usr/lib/*/', { cwd: root }).map(folder => join(root, folder)).join(delimiter)
  return { path, env: { ...process.env, LD_LIBRARY_PATH: libraries } }
}

/** For a user who may not install: apt fetches the package and what it needs that is not installed. */
function unpack (): RedisProgram {
  // Other test files may be at it too.
  const folder = join(cacheFolder(), `fetch-${process.pid}`)
  try {
    for (const part of ['lists/partial', 'archives/partial', 'redis'])
      mkdirSync(join(folder, part), { recursive: true })
    const options = [
      '-q',
      '-o',
      'Debug::NoLocking=1',
      '-o',
      `Dir::State::lists=${folder}/lists`,
      '-o',
      `Dir::Cache=${folder}`,
    ]
    run('apt-get', [...options, 'update'], process.env)
    run('apt-get', [...options, 'install', '-y', '--download-only', '--no-install-recommends', PACKAGE], process.env)
    for (const file of globSync(`${folder}/archives/*.deb`)) run('dpkg', ['-x', file, `${folder}/redis`], process.env)
    if (!isExecutable(`${folder}/redis/${PROGRAM}`)) fail(`the package ${PACKAGE} has brought no redis-server`)
    if (!inCache()) renameSync(`${folder}/redis`, join(cacheFolder(), 'redis'))
    return inCache() ?? fail('it was fetched, and is gone again')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function isExecutable (path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false // ENOENT
  }
}

function run (program: string, parameters: readonly string[], env: NodeJS.ProcessEnv): void {
  execFileSync(program, parameters, { stdio: ['ignore', 'ignore', 'pipe'], env })
}

function fail (text: string): never {
  throw new Error(text)
}
