/** Connecting to one of several endpoints, over real sockets. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { connect } from './connect.ts'
import type { Endpoint } from './endpoint.ts'

const servers: Server[] = []
const sockets: Socket[] = []

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) server.close()
})

async function listening (host = '127.0.0.1', port = 0): Promise<number> {
  const server = createServer(socket => { sockets.push(socket.on('error', () => {})) }).listen(port, host)
  servers.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A port on which nobody listens. */
async function closedPort (): Promise<number> {
  const port = await listening()
  servers.pop()?.close()
  return port
}

function at (host: string, port: number, priority = 0): Endpoint {
  return { host, port, isDirectTls: false, priority }
}

/** Addresses by host and family, as a list or a promise of one. */
type Addresses = Readonly<Record<string, readonly string[] | Promise<readonly string[]>>>

async function reached (
  endpoints: readonly Endpoint[], addresses: Addresses = {}, signal = new AbortController().signal,
): Promise<string> {
  const lookUp = async (host: string, family: number): Promise<readonly string[]> => {
    if (host.startsWith('127.')) return family === 4 ? [host] : []
    return addresses[`${host} ${family}`] ?? []
  }
  const { socket, endpoint } = await connect(endpoints, { lookUp }, signal)
  sockets.push(socket)
  return `${endpoint.host} at ${socket.remoteAddress}:${socket.remotePort}`
}

/** A connection to this address begins and never ends. */
const SILENT = '192.0.2.1'
const never = new Promise<readonly string[]>(() => {})

describe('connecting', () => {
  test('goes on with the next host when one refuses', async () => {
    const [refusing, port] = [await closedPort(), await listening()]

    expect(await reached([at('127.0.0.1', refusing), at('127.0.0.1', port)])).toBe(`127.0.0.1 at 127.0.0.1:${port}`)
  })

  test('goes on with the next priority when a whole one refuses', async () => {
    const [refusing, port] = [await closedPort(), await listening('127.0.0.2')]

    const found = await reached([at('127.0.0.1', refusing, 1), at('x', port, 2)], { 'x 4': ['127.0.0.2'] })

    expect(found).toBe(`x at 127.0.0.2:${port}`)
  })

  test('keeps to the more important one while it can be reached', async () => {
    const [first, second] = [await listening(), await listening()]

    const found = await reached([at('127.0.0.1', first, 1), at('127.0.0.1', second, 2)])

    expect(found).toBe(`127.0.0.1 at 127.0.0.1:${first}`)
  })

  test('tries another address of a host while one does not answer', async () => {
    const port = await listening()

    const found = await reached([at('x', port)], { 'x 4': [SILENT, '127.0.0.1'] })

    expect(found).toBe(`x at 127.0.0.1:${port}`)
  })

  test('takes the other family where one has no way', async () => {
    const port = await listening()

    const found = await reached([at('x', port)], { 'x 6': ['2001:db8::1'], 'x 4': ['127.0.0.1'] })

    expect(found).toBe(`x at 127.0.0.1:${port}`)
  })

  test('does not wait for a family whose lookup is slow', async () => {
    const port = await listening()

    expect(await reached([at('x', port)], { 'x 6': never, 'x 4': ['127.0.0.1'] })).toBe(`x at 127.0.0.1:${port}`)
  })

  test('takes addresses that are found late, while others do not answer', async () => {
    const port = await listening()
    const late = Promise.withResolvers<readonly string[]>()
    setTimeout(() => { late.resolve(['127.0.0.1']) }, 400)

    const found = await reached([at('x', port)], { 'x 6': late.promise, 'x 4': [SILENT] })

    expect(found).toBe(`x at 127.0.0.1:${port}`)
  })

  test('fails with the reason when all refuse', async () => {
    const refusing = await closedPort()

    await expect(reached([at('127.0.0.1', refusing)])).rejects.toThrow('it can not be connected to (ECONNREFUSED)')
  })

  test('fails when no host has an address', async () => {
    await expect(reached([at('x', 5269), at('y', 5269, 1)])).rejects.toThrow('its host has no address')
  })

  test('gives up when DNS names no end of addresses that refuse', async () => {
    const [refusing, port] = [await closedPort(), await listening('127.0.0.100')]
    const many = Array.from({ length: 30 }, (_, index) => at(`127.0.0.${index + 1}`, refusing, index))

    await expect(reached([...many, at('127.0.0.100', port, 100)])).rejects.toThrow('ECONNREFUSED')
  })

  test('ends when it is no longer wanted', async () => {
    const ending = new AbortController()

    const reaching = reached([at('x', 5269), at('x', 5269, 1)], { 'x 6': never, 'x 4': [SILENT] }, ending.signal)
    ending.abort(new Error('enough'))

    await expect(reaching).rejects.toThrow('enough')
  })
})
