/** Behind a balancer: whom its PROXY header names is who the limits are for, and it is told whether the node serves. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { auth, PASSWORD, Peer, type Address } from '../hostile/peer.ts'
import { Installation, type RunningServer } from './installation.ts'

const PER_ADDRESS = 2

let home: Installation
let server: RunningServer
let peers: Peer[] = []

afterEach(() => { for (const peer of peers.splice(0)) peer.destroy() })

async function connect (address: Address): Promise<Peer> {
  const peer = await Peer.connect(address)
  peers.push(peer)
  return peer
}

function header (source: string): string {
  return `PROXY TCP4 ${source} 192.0.2.1 40000 5222\r\n`
}

describe('who connects through a balancer', () => {
  beforeAll(async () => {
    home = await Installation.make()
    const at = (port: number): object => ({ 'at': `127.0.0.1:${port}`, 'proxy-protocol': '127.0.0.66' })
    home.configure({
      listen: { 'client': at(home.port), 'client-tls': at(home.tlsPort), 'http': at(home.httpPort) },
      limits: { 'streams-per-address': PER_ADDRESS, 'failed-logins-per-minute': 1 },
    })
    server = await home.start()
    for (const name of ['romeo', 'juliet']) await home.run(`user add ${name}@localhost --password ${PASSWORD}`)
  }, 60_000)
  afterAll(() => home.remove())

  test('comes in by STARTTLS and by TLS at once, under its own address', async () => {
    const [romeo, juliet] = [
      await connect({ port: home.port, preface: header('198.51.100.1') }),
      await connect({ ...home.direct, preface: header('198.51.100.2') }),
    ]

    await romeo.open()
    await romeo.startTls()
    for (const [peer, name] of [[romeo, 'romeo'], [juliet, 'juliet']] as const) {
      await peer.open()
      await peer.authenticate(name)
      await peer.bind('here')
    }
    void romeo.send("<message to='juliet@localhost/here'><body>by the balancer</body></message>")

    expect((await juliet.expect('message')).children[0]?.text).toBe('by the balancer')
    expect([await server.logged('session.bound'), await server.logged('session.bound')]).toMatchObject([
      { session: 'romeo@localhost/here', address: '198.51.100.1' },
      { session: 'juliet@localhost/here', address: '198.51.100.2' },
    ])
  })

  test('has a limit of streams that is not the balancer\'s', async () => {
    const from = (source: string): Promise<Peer> => connect({ port: home.port, preface: header(source) })
    for (let count = 0; count < PER_ADDRESS; count++) await (await from('198.51.100.3')).open()

    const beyond = await from('198.51.100.3')
    await beyond.expectClosed()
    const other = await from('198.51.100.4')

    await expect(beyond.next()).rejects.toThrow('the stream is over')
    expect((await other.open()).name).toBe('features')
  })

  test('waits for wrong passwords of its own only', async () => {
    const from = async (source: string): Promise<Peer> => {
      const peer = await connect({ ...home.direct, preface: header(source) })
      await peer.open()
      return peer
    }
    const guesser = await from('198.51.100.5')
    const guess = async (name: string, password: string): Promise<string | undefined> => {
      void guesser.send(auth('PLAIN', `\0${name}\0${password}`))
      return (await guesser.next()).children[0]?.name
    }

    const answers = [await guess('nobody', 'wrong'), await guess('juliet', PASSWORD)]
    await (await from('198.51.100.6')).prove('romeo')

    expect(answers).toEqual(['not-authorized', 'temporary-auth-failure'])
  })

  test('who comes by another way is let go without a word, and the log says who it was', async () => {
    const stranger = await connect({ port: home.port, from: '127.0.0.67', preface: header('198.51.100.7') })

    await stranger.expectClosed()

    expect(await server.logged('listener.connection_refused')).toMatchObject({
      level: 'warn', key: 'listen.client', address: '127.0.0.67',
      reason: 'its address is none of those that proxy-protocol lists',
    })
  })
})

describe('/readyz', () => {
  test('says that the server serves, and does not while its database is away', async () => {
    const own = await Installation.forTest()
    const running = await own.start()
    const ask = async (path: string): Promise<string> => {
      const response = await fetch(`http://127.0.0.1:${own.httpPort}${path}`)
      return `${response.status} ${await response.text()}`
    }

    const before = await ask('/readyz')
    for (const pid of own.databaseProcesses()) process.kill(pid, 'SIGSTOP')
    await until(ask, text => text.startsWith('503'))
    const [while_, alive] = [await ask('/readyz'), await ask('/healthz')]
    for (const pid of own.databaseProcesses()) process.kill(pid, 'SIGCONT')
    await until(ask, text => text.startsWith('200'))

    expect([before, while_, alive]).toEqual(['200 ready\n', '503 database: no answer in 2 seconds\n', '200 ok\n'])
    expect(await running.logged('readiness.lost')).toMatchObject({ level: 'warn' })
    expect(await running.logged('readiness.regained')).toMatchObject({ level: 'info' })
  }, 60_000)
})

async function until (ask: (path: string) => Promise<string>, isIt: (text: string) => boolean): Promise<void> {
  while (!isIt(await ask('/readyz'))) await delay(100)
}
