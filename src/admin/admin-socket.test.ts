import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openLog } from '../log.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { AdminClient } from './admin-client.ts'
import { AdminServer } from './admin-server.ts'
import { remoteCommands, serveCommands } from './commands.ts'
import type { ServerCommands, ServerStatus } from './commands.ts'
import { readLines } from './lines.ts'

const open: { stop (): Promise<void> }[] = []
let folder = ''
let lines: string[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heliograph-admin-'))
  lines = []
})

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop()
  await rm(folder, { recursive: true })
})

async function startServer (at = folder): Promise<AdminServer> {
  const server = new AdminServer(await openLog({ level: 'trace' }, { write: line => { lines.push(line) } }))
  await server.start(at)
  open.push(server)
  return server
}

async function connectClient (at = folder): Promise<AdminClient> {
  const client = await AdminClient.connect(at)
  if (!client) throw new Error('no server')
  open.push({ stop: async () => { client.close() } })
  return client
}

/** Sends lines as they are, and resolves with an answer to each, sorted. */
async function exchange (sent: readonly string[]): Promise<readonly string[]> {
  const socket = connect(join(folder, 'admin.sock'))
  const answers: string[] = []
  const areAllHere = Promise.withResolvers<void>()
  readLines(socket, line => { if (answers.push(line) === sent.length) areAllHere.resolve() })
  socket.write(sent.map(line => `${line}\n`).join(''))
  await areAllHere.promise
  socket.destroy()
  return answers.sort()
}

test('a command is run with its arguments, and its result comes back', async () => {
  const server = await startServer()
  server.command('echo', async args => ({ got: args }))
  const client = await connectClient()

  expect(await client.ask('echo', { text: 'zwölf\n12' })).toEqual({ got: { text: 'zwölf\n12' } })
})

test('answers find their questions, in whatever order they come', async () => {
  const server = await startServer()
  const slow = Promise.withResolvers<string>()
  server.command('slow', () => slow.promise)
  server.command('fast', async () => 'fast')
  const client = await connectClient()
  const first = client.ask('slow')

  expect(await client.ask('fast')).toBe('fast')
  slow.resolve('slow')
  expect(await first).toBe('slow')
})

test('what a command rejects with is what the administrator reads, and the log names the command alone', async () => {
  const server = await startServer()
  server.command('user.add', () => Promise.reject(new StanzaError('conflict', 'there already')))
  const client = await connectClient()

  await expect(client.ask('user.add', { password: 'geheim' })).rejects.toThrow('there already')
  expect(lines.join()).toContain('user.add')
  expect(lines.join()).not.toContain('geheim')
})

test('an unknown command and a line that is no request are answered, and the next line is read', async () => {
  const server = await startServer()
  server.command('ok', async () => 1)

  expect(await exchange(['{"id":1,"command":"toString"}', 'null', '{"id":', '[]', '{"id":5,"command":"ok"}'])).toEqual([
    '{"error":"not a request"}',
    '{"error":"not a request"}',
    '{"error":"the server knows no command \\"undefined\\""}',
    '{"id":1,"error":"the server knows no command \\"toString\\""}',
    '{"id":5,"result":1}',
  ])
})

test('a line without an end costs its connection, and nobody else', async () => {
  const server = await startServer()
  server.command('ok', async () => 1)
  const socket = connect(join(folder, 'admin.sock'))
  socket.on('error', () => {}) // it is cut off
  const closed = new Promise(resolve => { socket.on('close', resolve) })

  socket.write('x'.repeat(3 * 1024 * 1024))
  await closed

  expect(await (await connectClient()).ask('ok')).toBe(1)
})

test('the socket is for its owner alone', async () => {
  const mask = process.umask(0)
  await startServer().finally(() => process.umask(mask))

  expect((await stat(join(folder, 'admin.sock'))).mode & 0o777).toBe(0o600)
  expect(process.umask()).toBe(mask)
})

describe('where no server runs there is none to connect to', () => {
  test('no folder', async () => {
    expect(await AdminClient.connect(join(folder, 'none'))).toBeUndefined()
  })

  test('no socket', async () => {
    expect(await AdminClient.connect(folder)).toBeUndefined()
  })

  test('a file in its place, as a killed server leaves it', async () => {
    await writeFile(join(folder, 'admin.sock'), '')

    expect(await AdminClient.connect(folder)).toBeUndefined()
    await startServer()
    await connectClient()
  })

  test('a stopped server', async () => {
    const server = await startServer()
    await server.stop()

    expect(await AdminClient.connect(folder)).toBeUndefined()
    await expect(stat(join(folder, 'admin.sock'))).rejects.toThrow('ENOENT')
  })
})

test('a folder whose path is longer than a socket address may be', async () => {
  const deep = join(folder, 'a'.repeat(60), 'b'.repeat(60))
  await mkdir(deep, { recursive: true })
  const server = await startServer(deep)
  server.command('ok', async () => 1)

  expect(await (await connectClient(deep)).ask('ok')).toBe(1)
  expect((await stat(join(deep, 'admin.sock'))).isSocket()).toBe(true)
  await server.stop()
  await expect(stat(join(deep, 'admin.sock'))).rejects.toThrow('ENOENT')
})

test('a server that stops answers first what it was asked', async () => {
  const server = await startServer()
  const slow = Promise.withResolvers<string>()
  const isAsked = Promise.withResolvers<void>()
  server.command('slow', () => { isAsked.resolve(); return slow.promise })
  const answer = (await connectClient()).ask('slow')
  await isAsked.promise

  const stopped = server.stop()
  await setImmediate()
  slow.resolve('done')

  expect(await answer).toBe('done')
  await stopped
})

test('a server stops, however long the other end keeps its side open', async () => {
  const server = await startServer()
  server.command('ok', async () => 1)
  const rude = connect({ path: join(folder, 'admin.sock'), allowHalfOpen: true })
  const isAnswered = new Promise<void>(resolve => { readLines(rude, () => resolve()) })
  rude.write('{"command":"ok"}\n')
  await isAnswered

  await server.stop()

  expect(rude.writableEnded).toBe(false)
  rude.destroy()
})

test('a question to a server that is gone is rejected', async () => {
  const server = await startServer()
  const client = await connectClient()
  await client.ask('any').catch(() => {}) // it knows none
  await server.stop()

  await expect(client.ask('any')).rejects.toThrow('the server went away')
})

describe('the commands arrive at the server as they were given', () => {
  const status: ServerStatus = {
    pid: 1, version: '1', node: 'a', uptimeSeconds: 1, hosts: ['a.org'],
    listeners: [{ name: 'client', host: '::', port: 5 }], sessions: 3, nodes: [], federation: null, memoryBytes: 4,
    database: 'embedded',
  }
  let done: unknown[] = []
  const local: ServerCommands = {
    accounts: {
      async add (jid, password) { done.push('add', jid.toString(), password) },
      async remove (jid) { done.push('remove', jid.toString()) },
      async setPassword (jid, password) { done.push('setPassword', jid.toString(), password) },
      async list () { return [Jid.parse('romeo@a.org')] },
    },
    federation: {
      async retry (domain) { done.push('retry', domain) },
      async drop (domain) {
        done.push('drop', domain)
        return 7
      },
    },
    status: async () => status,
    async drain () { done.push('drain') },
    reload: async () => ['hosts'],
  }

  async function connectCommands (): Promise<ServerCommands> {
    done = []
    serveCommands(await startServer(), local)
    return remoteCommands(await connectClient())
  }

  test('accounts', async () => {
    const { accounts } = await connectCommands()
    const jid = Jid.parse('romeo@a.org')

    await accounts.add(jid, 'p "q"')
    await accounts.setPassword(jid, 'r')
    await accounts.remove(jid)

    expect(done).toEqual(['add', 'romeo@a.org', 'p "q"', 'setPassword', 'romeo@a.org', 'r', 'remove', 'romeo@a.org'])
    expect((await accounts.list()).map(String)).toEqual(['romeo@a.org'])
  })

  test('queues of other servers', async () => {
    const { federation } = await connectCommands()

    await federation.retry('b.example')

    expect(await federation.drop('c.example')).toBe(7)
    expect(done).toEqual(['retry', 'b.example', 'drop', 'c.example'])
  })

  test('status and reload', async () => {
    const server = await connectCommands()

    expect(await server.status()).toEqual(status)
    expect(await server.reload()).toEqual(['hosts'])
  })

  test('arguments that are missing or no address are refused', async () => {
    await connectCommands()
    const client = await connectClient()

    await expect(client.ask('user.add', { jid: 'romeo@a.org' })).rejects.toThrow('the command needs "password"')
    await expect(client.ask('user.add', { jid: '@', password: 'x' })).rejects.toThrow()
    expect(done).toEqual([])
  })
})
