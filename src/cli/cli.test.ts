import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { testSchema } from '../../test/support/run/database.ts'

const ENTRY = join(import.meta.dirname, '../../heliograph.mjs')
const folder = mkdtempSync(join(tmpdir(), 'heliograph-cli-'))
const config = join(folder, 'server.yaml')

interface Outcome { readonly code: number | null, readonly out: string, readonly err: string }

async function run (args: readonly string[], input = '', node: readonly string[] = []): Promise<Outcome> {
  const child = spawn(process.execPath, [...node, ENTRY, ...args])
  child.stdin.on('error', () => {}) // it ended without reading
  child.stdin.end(input)
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode, out, err }
}

/** With the test's own configuration. */
async function runHere (...args: readonly string[]): Promise<Outcome> {
  return run([...args, '--config', config])
}

type Line = Readonly<Record<string, unknown>>

interface Served {
  readonly pid: number
  /** Waits for a line of the log with this event. */
  logged (event: string): Promise<Line>
  kill (signal: NodeJS.Signals): void
  readonly ended: Promise<number | null>
}

const served: Served[] = []

async function serve (): Promise<Served> {
  const child = spawn(process.execPath, [ENTRY, 'serve', '--config', config], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const server: Served = {
    pid: child.pid ?? 0,
    async logged (event) {
      for (;;) {
        const { value, done } = await lines.next()
        if (done) throw new Error(`the log ended before it said ${event}`)
        const line = JSON.parse(String(value)) as Line
        if (line['event'] === event) return line
      }
    },
    kill: signal => { child.kill(signal) },
    ended: once(child, 'exit').then(() => child.exitCode),
  }
  served.push(server)
  await server.logged('server.ready')
  return server
}

beforeAll(async () => {
  writeFileSync(config, [
    `database: ${JSON.stringify(await testSchema())}`,
    'listen: { client: 127.0.0.1:0, client-tls: 127.0.0.1:0, http: 127.0.0.1:0 }',
    'hosts: [localhost, b.example]',
  ].join('\n'))
})

afterEach(async () => {
  for (const server of served.splice(0)) {
    server.kill('SIGKILL')
    await server.ended
  }
})

afterAll(() => rmSync(folder, { recursive: true }))

describe('a call that is wrong is answered with a sentence, the usage and exit code 2', () => {
  test.each([
    [[], 'which command?'],
    [['serv'], 'there is no command "serv", did you mean "serve"?'],
    [['constructor'], 'there is no command "constructor"'],
    [['check', '--colour'], "Unknown option '--colour'"],
    [['check', 'server.yaml'], '"server.yaml" is one word too many'],
    [['user'], 'user needs one of add, password, list, remove'],
    [['user', 'toString'], 'user needs one of add, password, list, remove'],
    [['federation', 'stop'], 'federation needs one of retry, drop'],
    [['federation', 'drop'], 'DOMAIN is missing'],
    [['federation', 'drop', 'romeo@a.example'], '"romeo@a.example" is no domain'],
    [['user', 'add'], 'JID is missing'],
    [['user', 'add', '@', '--password', 'x'], '"@" is no address'],
    [['user', 'add', 'a@localhost', '--password', 'x', '--password-stdin'], '--password and --password-stdin exclude'],
    [['user', 'add', 'a@localhost'], 'there is no terminal to ask for a password'],
  ])('%j', async (args, sentence) => {
    const { code, out, err } = await run(args)

    expect(err.startsWith(`heliograph: ${sentence}`)).toBe(true)
    expect(err).toContain('\n\nusage: heliograph ')
    expect([code, out]).toEqual([2, ''])
  })
})

test('help and version are asked for, and are no mistake', async () => {
  const help = await run(['--help'])
  const version = await run(['--version'])
  const userHelp = await run(['user', 'add', '--help'])

  expect(help).toMatchObject({ code: 0, err: '' })
  expect(help.out).toMatch(/^usage: heliograph serve \[--config FILE\]\n/)
  expect(userHelp.out).toMatch(/^usage: heliograph user add JID /)
  expect(version).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
})

test('an older Node is told how to start, in a sentence', async () => {
  const older = 'data:text/javascript,Object.defineProperty(process.versions, "node", { value: "20.19.1" })'

  const { code, err, out } = await run(['--version'], '', ['--import', older])

  expect([code, out]).toEqual([1, ''])
  expect(err).toMatch(/^Heliograph needs Node 24 or newer, and this is v.*npm start.*\n$/)
})

describe('check', () => {
  test('finds nothing in a good file', async () => {
    expect(await runHere('check')).toEqual({ code: 0, out: `${config}: no mistakes\n`, err: '' })
  })

  test('says every mistake of a bad one', async () => {
    const bad = join(folder, 'bad.yaml')
    writeFileSync(bad, 'nod: a\nlog:\n  level: loud\nextensions:\n  pnig: false\n')

    const { code, out, err } = await run(['check', '--config', bad])

    expect([code, out]).toEqual([1, ''])
    expect(err.split('\n').map(line => line.replace(`${bad}:`, '').split(':', 2).join())).toEqual([
      '1, nod', '3, log.level', '5, extensions.pnig', '',
    ])
  })

  test('reads the environment', async () => {
    process.env['HELIOGRAPH_LOG_LEVEL'] = 'loud'
    const { code, err } = await runHere('check')
    delete process.env['HELIOGRAPH_LOG_LEVEL']

    expect(code).toBe(1)
    expect(err).toMatch(/^environment variable HELIOGRAPH_LOG_LEVEL: log\.level: found "loud"/)
  })
})

describe('while no server runs', () => {
  test('accounts are made, listed and removed all the same', async () => {
    const add = ['user', 'add', 'romeo@localhost', '--password', 'secret']

    expect(await runHere(...add)).toEqual({ code: 0, out: 'romeo@localhost was added\n', err: '' })
    expect(await runHere(...add)).toEqual({
      code: 1, out: '', err: 'heliograph: romeo@localhost: the account exists already\n',
    })
    expect(await runHere('user', 'list')).toMatchObject({ out: 'romeo@localhost\n' })
    const change = ['user', 'password', 'romeo@localhost', '--password-stdin', '--config', config]
    expect(await run(change, 'other\n')).toMatchObject({ code: 0, out: 'romeo@localhost has a new password\n' })
    expect(await runHere('user', 'remove', 'romeo@localhost')).toMatchObject({
      code: 0,
      out: 'romeo@localhost was removed\n',
    })
    expect(await runHere('user', 'list')).toMatchObject({ out: '' })
  })

  test('status and reload say so', async () => {
    const data = join(folder, 'data')

    expect(await runHere('status')).toMatchObject({ code: 3, out: `not running on ${data}\n` })
    expect(await runHere('reload')).toMatchObject({ code: 1, err: `heliograph: no server runs on ${data}\n` })
  })
})

describe('while a server runs', () => {
  test('it is asked, through a socket that is its owner\'s alone', async () => {
    const server = await serve()

    expect(await runHere('user', 'add', 'juliet@b.example', '--password', 'secret')).toMatchObject({ code: 0 })
    expect(await runHere('user', 'add', 'juliet@c.example', '--password', 'secret')).toMatchObject({
      code: 1, err: 'heliograph: juliet@c.example: the host is not served here, the hosts are localhost, b.example\n',
    })
    expect(await runHere('user', 'list')).toMatchObject({ out: 'juliet@b.example\n' })
    expect((await runHere('status')).out).toMatch(new RegExp(
      `^running +process ${server.pid}, .*\nuptime .*\nhosts +localhost, b.example\n`
      + 'listens +client 127.0.0.1:\\d+\n(.*\n)*sessions +0\n'))
    expect(await runHere('reload')).toMatchObject({ code: 0, out: 'reloaded\n' })
    expect(statSync(join(folder, 'data/admin.sock')).mode & 0o777).toBe(0o600)
  })

  test('a second one is refused with a sentence that names the first', async () => {
    const server = await serve()

    const { code, out } = await runHere('serve')

    expect(code).toBe(1)
    expect(out).toContain(`is in use by another Heliograph, process ${server.pid}"`)
  })

  test('SIGHUP with a mistake in the file is said, and the server goes on with what it has', async () => {
    const good = readFileSync(config)
    const server = await serve()

    writeFileSync(config, `${good.toString()}\nnode: [a]\n`)
    server.kill('SIGHUP')
    expect(await server.logged('config.reload_failed')).toMatchObject({
      msg: expect.stringContaining(
        `not reloaded: ${config}:4: node: found ["a"], expected a name of letters, digits, dots and hyphens`,
      ),
    })
    writeFileSync(config, `${good.toString()}\nnode: z\n`)
    server.kill('SIGHUP')
    const reloaded = await server.logged('config.reloaded')
    writeFileSync(config, good)

    expect(reloaded['needRestart']).toEqual(['node'])
    expect((await runHere('status')).out).toContain('node a\n')
  })

  test('SIGTERM ends it in good order, and another can start', async () => {
    const server = await serve()
    server.kill('SIGTERM')

    await server.logged('server.stopped')
    expect(await server.ended).toBe(0)
    expect(await runHere('status')).toMatchObject({ code: 3 })
    await serve()
  })
})
