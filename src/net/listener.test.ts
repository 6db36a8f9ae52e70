import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { openLog } from '../log.ts'
import { AddressLimit } from './addresses.ts'
import { listen } from './listener.ts'
import type { Listener, ListenOptions } from './listener.ts'
import type { TcpTransport } from './tcp.ts'
import { WriteBarrier } from './write-barrier.ts'

const log = await openLog({ level: 'silent' })
const cleanup: (() => void)[] = []

afterEach(() => { for (const undo of cleanup.splice(0)) undo() })

async function open (
  addresses: readonly string[], options: Partial<ListenOptions> = {},
  accept: (transport: TcpTransport) => void = () => {},
): Promise<Listener> {
  const listener = await listen(
    addresses,
    { key: 'listen.client', log, barrier: new WriteBarrier(log), ...options },
    accept,
  )
  cleanup.push(() => listener.close())
  return listener
}

function dial (listener: Listener, index = 0): Socket {
  const { address = '', port = 0 } = listener.addresses[index] ?? {}
  const socket = connect(port, address).on('error', () => {})
  socket.resume()
  cleanup.push(() => socket.destroy())
  return socket
}

test('connections come in on every address, IPv4 and IPv6', async () => {
  const accepted: string[] = []
  const listener = await open(['127.0.0.1:0', '[::1]:0'], {}, transport => accepted.push(transport.remoteAddress))

  await once(dial(listener, 0), 'connect')
  await once(dial(listener, 1), 'connect')

  await vi.waitFor(() => expect(accepted.toSorted()).toEqual(['127.0.0.1', '::1']))
})

test('all IPv4 and all IPv6 addresses can be listened on with the same port', async () => {
  const probe = await open(['0.0.0.0:0'])
  const port = probe.addresses[0]?.port ?? 0
  probe.close()

  const listener = await open([`0.0.0.0:${port}`, `[::]:${port}`])

  expect(listener.addresses.map(address => address.address)).toEqual(['0.0.0.0', '::'])
})

test('a port in use is reported with the address and the key of the config, and no other port stays open', async () => {
  const first = await open(['127.0.0.1:0'])
  const probe = await open(['127.0.0.1:0'])
  const taken = `127.0.0.1:${first.addresses[0]?.port}`
  const free = `127.0.0.1:${probe.addresses[0]?.port}`
  probe.close()

  await expect(open([free, taken])).rejects.toThrow(`listen.client: ${taken} is already in use`)

  await expect(open([free])).resolves.toBeDefined()
})

test('an address that is none, or not of this machine, is reported', async () => {
  await expect(open(['5222'])).rejects.toThrow('listen.client: "5222" is not ADDRESS:PORT')
  await expect(open(['192.0.2.1:0'])).rejects.toThrow('this machine has no address to listen on 192.0.2.1:0')
})

test('an address has no more connections than its limit, and room again when one ends', async () => {
  const accepted: TcpTransport[] = []
  const listener = await open(['127.0.0.1:0'], { streams: new AddressLimit(2) }, transport => accepted.push(transport))

  const first = dial(listener)
  await once(first, 'connect')
  await once(dial(listener), 'connect')
  await once(dial(listener), 'close')
  const acceptedAtLimit = accepted.length
  first.destroy()
  await vi.waitFor(async () => {
    await once(dial(listener), 'connect')
    expect(accepted).toHaveLength(3)
  })

  expect(acceptedAtLimit).toBe(2)
})

test('a peer that ends its side with its last words is answered', async () => {
  const listener = await open(['127.0.0.1:0'], {}, transport => {
    transport.onData = chunk => transport.write(`heard ${chunk.toString()}`)
  })
  const socket = dial(listener)
  let answer = ''
  socket.on('data', chunk => { answer += chunk.toString() })

  socket.end('goodbye')
  await once(socket, 'close')

  expect(answer).toBe('heard goodbye')
})

test('a listener that stopped accepts no more, and what is open goes on', async () => {
  const listener = await open(['127.0.0.1:0'], {}, transport => {
    transport.onData = chunk => transport.write(chunk)
  })
  const socket = dial(listener)
  await once(socket, 'connect')
  const { port } = listener.addresses[0] ?? {}

  socket.write('first')
  await once(socket, 'data')
  listener.stop()
  socket.write('still open')

  expect(String(await once(socket, 'data'))).toBe('still open')
  await expect(once(connect(port ?? 0, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('a listener that closes cuts what is open', async () => {
  const ended = Promise.withResolvers<Error | undefined>()
  const listener = await open(['127.0.0.1:0'], {}, transport => {
    transport.onClose = ended.resolve
    transport.write('hello')
  })
  const socket = dial(listener)
  await once(socket, 'data')

  listener.close()

  await once(socket, 'close')
  expect(await ended.promise).toBeUndefined()
})
