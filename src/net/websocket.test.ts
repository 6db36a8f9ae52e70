import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { openLog } from '../log.ts'
import { AddressLimit } from './addresses.ts'
import { listenHttp } from './http.ts'
import { Shaper } from './shaper.ts'
import type { Transport } from './transport.ts'
import { WebSocketEndpoint } from './websocket.ts'
import type { WebSocketOptions } from './websocket.ts'
import { WriteBarrier } from './write-barrier.ts'

const log = await openLog({ level: 'silent' })
const cleanup: (() => void)[] = []

afterEach(() => { for (const undo of cleanup.splice(0)) undo() })

interface Served {
  readonly port: number
  readonly endpoint: WebSocketEndpoint
  readonly accepted: readonly Transport[]
}

type Accept = (transport: Transport) => void

async function serve (options: Partial<WebSocketOptions> = {}, accept: Accept = echo): Promise<Served> {
  const accepted: Transport[] = []
  const endpoint = new WebSocketEndpoint(
    { barrier: new WriteBarrier(log), maxMessageBytes: 10_000, ...options },
    transport => {
      accepted.push(transport)
      accept(transport)
    })
  const http = await listenHttp(['127.0.0.1:0'], {
    key: 'listen.http', log, routes: {}, upgrades: { '/ws': endpoint.upgrade },
  })
  cleanup.push(() => { endpoint.close(); http.close() })
  return { port: http.addresses[0]?.port ?? 0, endpoint, accepted }
}

function echo (transport: Transport): void {
  transport.onData = data => transport.write(data)
  transport.onFault = fault => {
    transport.write(fault.condition)
    transport.close()
  }
}

async function dial (port: number, protocols: string[] = ['xmpp']): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/ws`, protocols)
  cleanup.push(() => client.terminate())
  await once(client, 'open')
  return client
}

async function heard (client: WebSocket): Promise<string> {
  const [data, isBinary] = await once(client, 'message')
  return isBinary ? 'binary' : String(data)
}

function closed (transport: Transport | undefined): Promise<Error | undefined> {
  return new Promise(resolve => { if (transport) transport.onClose = resolve })
}

/** An upgrade by hand: what was answered, and the socket to go on with. */
async function upgrade (
  port: number, headers: Readonly<Record<string, string>>,
): Promise<{ answer: string, socket: Socket }> {
  const socket = connect(port, '127.0.0.1')
  cleanup.push(() => socket.destroy())
  const all = {
    host: 'localhost', connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`GET /ws HTTP/1.1\r\n${lines.join('')}\r\n`)
  const [answer] = await once(socket, 'data')
  return { answer: String(answer), socket }
}

describe('the upgrade', () => {
  test('the sub-protocol xmpp is chosen among those offered', async () => {
    const { port, accepted } = await serve()

    const client = await dial(port, ['chat', 'xmpp'])

    expect(client.protocol).toBe('xmpp')
    expect(accepted[0]).toMatchObject({ kind: 'websocket', remoteAddress: '127.0.0.1', secure: undefined })
  })

  // RFC 7395 §3.1
  test.each([[undefined], ['chat'], ['xmpp2, xxmpp']])('a client that offers %s is refused', async protocol => {
    const { port, accepted } = await serve()

    const { answer } = await upgrade(port, {
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...(protocol ? { 'sec-websocket-protocol': protocol } : {}),
    })

    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect(accepted).toEqual([])
  })

  test.each([['24', 'dGhlIHNhbXBsZSBub25jZQ=='], ['48', 'dGhlIHNhbXBsZSBub25jZSB0aGF0IGlzIGxvbmdlciB0aGFu']])(
    'a key of %s characters is answered', async (_length, key) => {
      const { port } = await serve()

      const { answer, socket } = await upgrade(port, { 'sec-websocket-key': key, 'sec-websocket-protocol': 'xmpp' })
      socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
      const [frame] = await once(socket, 'data')

      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
      expect(answer).toMatch(/^HTTP\/1.1 101 /)
      expect(answer).toContain(`Sec-WebSocket-Accept: ${accept}\r\n`)
      expect(answer.match(/sec-websocket-accept/gi)).toHaveLength(1)
      expect(frame).toEqual(Buffer.from([0x81, 2, 0x68, 0x69]))
    })

  test.each(['', 'short', 'dGhlIHNhbXBsZSBub25jZQ==\t!', 'A'.repeat(200)])('the key "%s" is refused', async key => {
    const { port } = await serve()

    const { answer } = await upgrade(port, { 'sec-websocket-key': key, 'sec-websocket-protocol': 'xmpp' })

    expect(answer).toMatch(/^HTTP\/1.1 400 /)
  })

  test('an address has no more connections than its limit, and room again when one ends', async () => {
    const { port } = await serve({ streams: new AddressLimit(1) })
    const first = await dial(port)

    const refused = dial(port)
    await expect(refused).rejects.toThrow('429')
    first.terminate()

    await vi.waitFor(() => dial(port))
  })
})

describe('messages', () => {
  test('one write is one message, text in both directions, in order', async () => {
    const { port } = await serve({}, transport => {
      transport.onData = data => {
        transport.write(`<a>${data.toString()}</a>`)
        transport.write(Buffer.from('<b>ü</b>'))
      }
    })
    const client = await dial(port)
    const messages: string[] = []
    client.on('message', (data, isBinary) => messages.push(isBinary ? 'binary' : data.toString()))

    client.send('grüße')
    client.send('zwei')

    await vi.waitFor(() => expect(messages).toEqual(['<a>grüße</a>', '<b>ü</b>', '<a>zwei</a>', '<b>ü</b>']))
  })

  test('a message in fragments is handed over whole', async () => {
    const { port } = await serve()
    const client = await dial(port)

    client.send('<iq', { fin: false })
    client.send('/>', { fin: true })

    expect(await heard(client)).toBe('<iq/>')
  })

  test('a message beyond the limit can\'t be read, one within it can', async () => {
    const { port, accepted } = await serve()
    const client = await dial(port)
    const reason = closed(accepted[0])

    client.send('x'.repeat(10_000))
    const within = await heard(client)
    client.send('x'.repeat(10_001))

    expect(within).toHaveLength(10_000)
    expect(await heard(client)).toBe('policy-violation')
    expect((await once(client, 'close'))[0]).toBe(1009)
    expect(await reason).toMatchObject({ code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' })
  })

  test.each([
    ['a binary message', Buffer.concat([Buffer.from([0x82, 0x82, 0, 0, 0, 0]), Buffer.from('<>')]), 'bad-format', 1003], // RFC 7395 §3.2
    ['text that is not UTF-8', Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]), 'unsupported-encoding', 1007],
    ['a frame that is not masked', Buffer.from([0x81, 0x01, 0x20]), 'bad-format', 1002],
  ])(
    "%s can't be read: it is heard after what came before, and nothing after it",
    async (_, bytes, condition, code) => {
      const { port, accepted } = await serve()
      const { socket } = await upgrade(port, {
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-protocol': 'xmpp',
      })
      accepted[0]?.pause()
      const said: Buffer[] = []
      socket.on('data', chunk => said.push(chunk))
      const hi = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])

      socket.write(Buffer.concat([hi, bytes, hi]))
      accepted[0]?.resume()
      await once(socket, 'close')

      const answer = Buffer.from([0x81, condition.length, ...Buffer.from(condition)])
      expect(Buffer.concat(said)).toEqual(
        Buffer.concat([Buffer.from([0x81, 2, 0x68, 0x69]), answer, Buffer.from([0x88, 2, code >> 8, code & 255])]),
      )
    })

  test('a paused connection hands over nothing, not even what had come already, and then all in order', async () => {
    const messages: string[] = []
    const { port, accepted } = await serve({}, transport => {
      transport.onData = data => {
        messages.push(data.toString())
        if (messages.length < 4) transport.pause()
      }
    })
    const client = await dial(port)

    client.pause()
    for (const text of ['1', '2', '3', '4', '5', '6']) client.send(text)
    await vi.waitFor(() => expect(messages).toEqual(['1']))
    const seen: string[] = []
    for (let step = 0; step < 3; step++) {
      accepted[0]?.resume()
      await vi.waitFor(() => expect(messages.length).toBeGreaterThan(step + 1))
      seen.push(messages.join(''))
    }

    await vi.waitFor(() => expect(messages.join('')).toBe('123456'))
    expect(seen.slice(0, 2)).toEqual(['12', '123'])
  })

  test('a sender beyond the limit is read slower and loses nothing', async () => {
    const pauses = vi.fn()
    const messages: string[] = []
    const { port } = await serve({ shaper: new Shaper(20_000) }, transport => {
      const pause = transport.pause.bind(transport)
      transport.pause = () => { pauses(); pause() }
      transport.onData = data => messages.push(data.toString().trimEnd())
    })
    const client = await dial(port)
    const sent = Array.from({ length: 50 }, (_, index) => String(index))

    for (const text of sent) client.send(text.padEnd(1000))

    await vi.waitFor(() => expect(messages).toEqual(sent), 10_000)
    expect(pauses).toHaveBeenCalled()
  })
})

describe('the end', () => {
  test('closing sends what was written before', async () => {
    const { port } = await serve({}, transport => {
      transport.write('<close/>')
      transport.close()
      transport.write('late')
    })
    const client = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['xmpp'])
    const messages: string[] = []
    client.on('message', data => messages.push(data.toString()))

    const [code] = await once(client, 'close')

    expect([messages, code]).toEqual([['<close/>'], 1000])
  })

  test('a client that closes ends the connection without a reason', async () => {
    const { port, accepted } = await serve()
    const client = await dial(port)
    const reason = closed(accepted[0])

    client.close()

    expect(await reason).toBeUndefined()
  })

  test('a client that answers pings stays, one that does not is cut', async () => {
    const { port, endpoint, accepted } = await serve()
    const lively = await dial(port)
    const client = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['xmpp'], { autoPong: false })
    await once(client, 'open')
    const reason = closed(accepted[1])

    const answered = once(lively, 'ping')
    endpoint.ping()
    await answered
    const fence = once(lively, 'pong')
    lively.ping()
    await fence
    endpoint.ping()

    expect(await reason).toMatchObject({ message: 'no answer to a ping' })
    lively.send('still here')
    expect(await heard(lively)).toBe('still here')
  })
})

test('behind a proxy on this machine a connection has the address that the proxy saw, and no other that was claimed', async () => {
  const { port, accepted } = await serve()

  const client = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['xmpp'], {
    headers: { 'x-forwarded-for': '203.0.113.9, 198.51.100.7' },
  })
  cleanup.push(() => client.terminate())
  await once(client, 'open')

  expect(accepted.map(({ remoteAddress, mayBePlain }) => ({ remoteAddress, mayBePlain })))
    .toEqual([{ remoteAddress: '198.51.100.7', mayBePlain: true }])
})

describe('pages in browsers (RFC 6455 §10.2)', () => {
  const OWN = 'https://chat.example.org'

  /** Whether a page of this origin comes in; nobody's, where there is none. */
  async function comesIn (origins: 'any' | readonly string[], origin: string | undefined): Promise<number | 'in'> {
    const { port } = await serve({ origins })
    const client = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['xmpp'], origin === undefined ? {} : { origin })
    cleanup.push(() => client.terminate())
    return new Promise(resolve => {
      client.on('open', () => { resolve('in') })
      client.on('unexpected-response', (_request, { statusCode }) => { resolve(statusCode ?? 0) })
      client.on('error', () => {})
    })
  }

  test.each([undefined, OWN, 'https://evil.example', 'null'])(
    'of every origin may connect unless there is a list: %s',
    async origin => {
      expect(await comesIn('any', origin)).toBe('in')
    })

  test.each([
    [undefined, 'in'], [OWN, 'in'], ['https://evil.example', 403], ['null', 403], ['http://chat.example.org', 403],
    [`${OWN}.evil.example`, 403], [`${OWN}:8443`, 403],
  ])('of no other origin than those of the list may connect: %s', async (origin, answer) => {
    expect(await comesIn([OWN, 'http://127.0.0.1:8000'], origin)).toBe(answer)
  })
})
