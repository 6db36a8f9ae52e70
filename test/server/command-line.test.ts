/** The command line beside a server that runs, and with none: accounts, status, reload, the environment's settings. */
import { execFile } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Peer } from '../hostile/peer.ts'
import { freePort } from '../../conformance/peers/free-port.ts'
import { makeFolder } from '../../conformance/peers/server.ts'
import { Client } from '../../conformance/runner/client.ts'
import { VERSION } from '../../src/util/version.ts'
import { Installation, OPEN, type RunningServer } from './installation.ts'
import { until } from './until.ts'

/** What is heard of a command that was carried out. */
const done = (line: string) => ({ code: 0, out: `${line}\n`, err: '' })

const clients: Client[] = []

afterEach(() => { for (const client of clients.splice(0)) client.destroy() })

async function logIn ({ port }: { readonly port: number }, jid: string, password: string): Promise<Client> {
  const client = await Client.connect({ port, tls: true }, { jid, password, resource: 'here' })
  clients.push(client)
  return client
}

describe('while the server runs', () => {
  let home: Installation
  let server: RunningServer

  beforeAll(async () => {
    home = await Installation.make()
    server = await home.start()
  }, 60_000)
  afterAll(() => home.remove())

  test('who is added can log in at once, and is listed', async () => {
    expect(await home.run('user add romeo@localhost --password wherefore')).toEqual(done('romeo@localhost was added'))
    expect(await home.run('user add juliet@localhost --password-stdin', { input: 'bal cony☀\n' }))
      .toEqual(done('juliet@localhost was added'))

    await logIn(home, 'romeo@localhost', 'wherefore')
    await logIn(home, 'juliet@localhost', 'bal cony☀')
    expect((await home.run('user list')).out).toContain('juliet@localhost\nromeo@localhost\n')
    expect((await home.run('status')).out).toContain('sessions   2\n')
  })

  test('a changed password is the only one, and who is logged in stays so', async () => {
    await home.run('user add tybalt@localhost --password old')
    const before = await logIn(home, 'tybalt@localhost', 'old')

    expect(await home.run('user password tybalt@localhost --password new')).toEqual(
      done('tybalt@localhost has a new password'),
    )

    await expect(logIn(home, 'tybalt@localhost', 'old')).rejects.toThrow('not-authorized')
    before.send("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
    expect((await before.receive()).attributes.get('id')).toBe('p')
    await logIn(home, 'tybalt@localhost', 'new')
  })

  test('who is removed is sent away, his contacts see him go, and the subscription is over', async () => {
    await home.run('user add paris@localhost --password gold')
    await home.run('user add capulet@localhost --password gold')
    const paris = await logIn(home, 'paris@localhost', 'gold')
    const capulet = await logIn(home, 'capulet@localhost', 'gold')
    await subscribe(capulet, paris, 'paris@localhost')

    expect(await home.run('user remove paris@localhost')).toEqual(done('paris@localhost was removed'))

    const farewell = await until(() => paris.receive(), ({ name }) => name === 'error')
    expect(farewell.children[0]?.name).toBe('not-authorized')
    await expect(paris.receive()).rejects.toThrow('the server closed the stream')
    await presence(capulet, 'paris@localhost/here', 'unavailable')
    await presence(capulet, 'paris@localhost', 'unsubscribed')
    expect(await subscriptions(capulet)).toEqual(['paris@localhost none'])
    await expect(logIn(home, 'paris@localhost', 'gold')).rejects.toThrow('not-authorized')
    expect(await home.run('user remove paris@localhost')).toEqual({
      code: 1, out: '', err: 'heliograph: paris@localhost: there is no such account\n',
    })
  })

  test('what is refused is said to who asked, and is no event for the log', async () => {
    const count = () => server.printed.length
    await home.run('user add mercutio@localhost --password queen')
    const before = count()

    expect(await home.run('user add mercutio@localhost --password mab'))
      .toEqual({ code: 1, out: '', err: 'heliograph: mercutio@localhost: the account exists already\n' })
    expect(await home.run('user password nobody@localhost --password mab'))
      .toEqual({ code: 1, out: '', err: 'heliograph: nobody@localhost: there is no such account\n' })
    expect(await home.run(`user password mercutio@localhost --password ${'m'.repeat(1025)}`))
      .toEqual({ code: 1, out: '', err: 'heliograph: mercutio@localhost: The password is longer than 1024 bytes\n' })

    expect(server.printed.slice(before)).toBe('')
  })

  test('status says who runs, where it listens and on what database', async () => {
    const { code, out } = await home.run('status')

    expect(code).toBe(0)
    expect(out).toMatch(new RegExp(`^running +process ${server.pid}, Heliograph [0-9.]+, node a$`, 'm'))
    expect(out).toMatch(/^hosts +localhost$/m)
    expect(out).toMatch(/^database +embedded$/m)
    expect([...out.matchAll(/^listens +(\S+) 127\.0\.0\.1:(\d+)$/gm)].map(([, name, port]) => [name, Number(port)]))
      .toEqual([['client', home.port], ['client-tls', home.tlsPort], ['http', home.httpPort]])
  })
})

test('accounts that were made, changed and removed while no server runs are so when it starts', async () => {
  const home = await Installation.forTest()
  await home.run('user add romeo@localhost --password old')
  await home.run('user add paris@localhost --password gold')
  await home.run('user password romeo@localhost --password new')
  const server = await home.start()

  await expect(logIn(home, 'romeo@localhost', 'old')).rejects.toThrow('not-authorized')
  const romeo = await logIn(home, 'romeo@localhost', 'new')
  await subscribe(romeo, await logIn(home, 'paris@localhost', 'gold'), 'paris@localhost')
  server.kill('SIGTERM')
  expect(await server.ended()).toBe(0)

  expect(await home.run('user remove paris@localhost')).toEqual(done('paris@localhost was removed'))
  expect(await home.run('user list')).toEqual(done('romeo@localhost'))
  expect(await home.run('status')).toMatchObject({ code: 3, out: `not running on ${home.data}\n` })
  expect(home.databaseProcesses()).toEqual([])
  await home.start()
  await expect(logIn(home, 'paris@localhost', 'gold')).rejects.toThrow('not-authorized')
  expect(await subscriptions(await logIn(home, 'romeo@localhost', 'new'))).toEqual(['paris@localhost none'])
}, 60_000)

test('npx heliograph says what it is asked for and nothing besides, whatever Node the machine has', async () => {
  const root = join(import.meta.dirname, '..', '..')
  const path = (process.env['PATH'] ?? '').split(':').filter(folder => !folder.includes('node_modules')).join(':')
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))
  const cache = makeFolder('npm') // npm says it once, and remembers
  const env = { ...Object.fromEntries(inherited), PATH: path, npm_config_cache: cache }

  const said = await promisify(execFile)('npx', ['heliograph', '--version'], { cwd: root, env })

  rmSync(cache, { recursive: true })
  expect(said).toEqual({ stdout: `${VERSION}\n`, stderr: '' })
}, 60_000)

test('what the environment sets holds over the file', async () => {
  const home = await Installation.forTest()
  const port = await freePort()

  await home.start({
    HELIOGRAPH_LISTEN_CLIENT: `127.0.0.1:${port}`,
    HELIOGRAPH_HOSTS: '[example.org]',
    HELIOGRAPH_REGISTRATION_OPEN: 'true',
  })

  await Peer.logIn({ ...home.direct, host: 'example.org' }, 'romeo/orchard')
  await (await Peer.open({ port, host: 'example.org' })).startTls()
  await expect(Peer.connect({ port: home.port })).rejects.toThrow('ECONNREFUSED')
}, 60_000)

test('a start with mistakes says all of them with their lines and variables, and makes nothing', async () => {
  const home = await Installation.forTest()
  writeFileSync(home.config, [
    'hosts: [a b]', 'listen:', '  client: 5222', '  clint-tls: 0.0.0.0:5223', 'auth: { require-tls: perhaps }',
  ].join('\n'))

  for (const command of ['serve', 'check']) {
    const { code, out, err } = await home.run(command, { env: { HELIOGRAPH_LOG_LEVEL: 'loud' } })

    expect([code, out]).toEqual([1, ''])
    expect(err.trim().split('\n').map(line => line.split(': ').slice(0, 2).join(' '))).toEqual([
      'environment variable HELIOGRAPH_LOG_LEVEL log.level',
      `${home.config}:1 hosts.0`, `${home.config}:3 listen.client`, `${home.config}:4 listen.clint-tls`,
      `${home.config}:5 auth.require-tls`,
    ])
  }
  expect(existsSync(home.data)).toBe(false)
})

describe('a configuration that was changed while the server runs', () => {
  test('is read again: what can not be taken over is named, what can be is', async () => {
    const home = await Installation.forTest()
    const server = await home.start()
    home.configure({ ...OPEN, node: 'b', log: { level: 'debug' } })

    expect(await home.run('reload'))
      .toEqual(done('reloaded\nnode has changed and needs a restart\nregistration has changed and needs a restart'))
    server.kill('SIGHUP')
    expect(await server.logged('config.reloaded'))
      .toMatchObject({ needRestart: ['node', 'registration'] })

    const peer = await Peer.open(home.direct)
    peer.end('</stream:stream>')
    expect(await server.logged('stream.closed')).toMatchObject({ level: 'debug' })
  }, 60_000)
})

/** The one sees the other come from now on. */
async function subscribe (one: Client, other: Client, to: string): Promise<void> {
  const from = one.fullJid.split('/')[0] ?? ''
  for (const client of [one, other]) {
    client.send('<presence/>')
    await presence(client, client.fullJid)
  }
  await subscriptions(one) // so that it is told of changes
  one.send(`<presence type='subscribe' to='${to}'/>`)
  await presence(other, from, 'subscribe')
  other.send(`<presence type='subscribed' to='${from}'/>`)
  await presence(one, other.fullJid)
}

async function subscriptions (client: Client): Promise<readonly string[]> {
  client.send("<iq type='get' id='contacts'><query xmlns='jabber:iq:roster'/></iq>")
  const answer = await until(() => client.receive(), ({ attributes }) => attributes.get('id') === 'contacts')
  const items = answer.children[0]?.children ?? []
  return items.map(({ attributes }) => `${attributes.get('jid')} ${attributes.get('subscription')}`)
}

/** Waits for it, whatever comes before it. */
async function presence (client: Client, from: string, type?: string): Promise<void> {
  await until(() => client.receive(), ({ name, attributes }) =>
    name === 'presence' && attributes.get('from') === from && attributes.get('type') === type)
}
