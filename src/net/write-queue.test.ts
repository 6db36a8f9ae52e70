/** What waits to be written: in order, in portions, and in memory once. */
import { expect, test } from 'vitest'
import { openLog } from '../log.ts'
import { WriteQueue } from './write-queue.ts'
import type { Outlet, Part } from './write-queue.ts'
import { WriteBarrier } from './write-barrier.ts'

const log = await openLog({ level: 'silent' })

const PORTION = 65_536
const ENOUGH = 1024 * 1024

/** A socket that takes what it is sent, until it has enough. */
class Socket implements Outlet {
  isBlocked = false
  isEnded = false
  isDestroyed = false
  readonly sent: (readonly Part[])[] = []
  /** After so many writes it is blocked. */
  room = Infinity

  send (parts: readonly Part[]): void {
    this.sent.push(parts)
    this.isBlocked = --this.room <= 0
  }

  end (): void { this.isEnded = true }
  destroy (): void { this.isDestroyed = true }

  get text (): string { return this.sent.flat().join('') }
}

function open (
  room = Infinity,
): { readonly socket: Socket, readonly queue: WriteQueue, takes(portions: number): void } {
  const socket = new Socket()
  socket.room = room
  const queue = new WriteQueue(socket, new WriteBarrier(log))
  return {
    socket, queue,
    takes (portions) {
      socket.room = portions
      socket.isBlocked = false
      queue.pump()
    },
  }
}

const turn = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

test('what one turn writes leaves in one write', async () => {
  const { socket, queue } = open()

  for (const part of ['one ', Buffer.from('two '), 'three']) queue.write(part)
  await turn()

  expect(socket.sent).toEqual([['one ', Buffer.from('two '), 'three']])
  expect(queue.bytes).toBe(0)
})

test('what the peer does not read waits by reference: what many are sent is in memory once', async () => {
  const shared = Buffer.alloc(100_000)
  const queues = Array.from({ length: 50 }, () => open(1))

  for (const { queue } of queues) for (let count = 0; count < 20; count++) queue.write(shared)
  await turn()
  for (const { takes } of queues) takes(Infinity)

  const sent = queues.flatMap(({ socket }) => socket.sent.flat())
  expect(sent).toHaveLength(1000)
  expect(new Set(sent)).toEqual(new Set([shared]))
})

test('a socket is handed a portion at a time, and the next when it has room', async () => {
  const { socket, queue, takes } = open(1)
  const part = Buffer.alloc(10_000)

  for (let count = 0; count < 30; count++) queue.write(part)
  await turn()
  const first = socket.sent.flat().length
  takes(1)

  expect(first).toBe(Math.ceil(PORTION / part.length))
  expect(socket.sent.flat()).toHaveLength(2 * first)
  expect(queue.bytes).toBe((30 - 2 * first) * part.length)
  expect(queue.sent).toBe(2 * first * part.length)
})

test('what is written while others wait stays behind them', async () => {
  const { socket, queue, takes } = open(1)
  queue.write('a'.repeat(2 * PORTION))
  queue.write('b')
  await turn()

  queue.write('c')
  await turn()
  takes(1)
  queue.write('d')
  await turn()

  takes(Infinity)
  expect(socket.text.replaceAll('a', '')).toBe('bcd')
})

test('who writes much is told when little is left', async () => {
  const { queue, takes } = open(1)
  let isDrained = false
  const before = queue.drained()
  for (let count = 0; count < 40; count++) queue.write(Buffer.alloc(PORTION))
  await turn()
  const drained = queue.drained()
  void drained?.then(() => { isDrained = true })

  takes(10)
  await turn()
  const early = isDrained
  takes(40)
  await turn()

  expect(before).toBeUndefined()
  expect(drained).toBeInstanceOf(Promise)
  expect(queue.bytes).toBeLessThanOrEqual(ENOUGH)
  expect([early, isDrained]).toEqual([false, true])
  expect(queue.drained()).toBeUndefined()
})

test('nobody waits for a connection that is gone, and nothing is kept for it', async () => {
  const { queue } = open(1)
  for (let count = 0; count < 40; count++) queue.write(Buffer.alloc(PORTION))
  await turn()
  const drained = queue.drained()

  queue.drop()

  await drained
  expect(queue.bytes).toBe(0)
})

test('the end comes once, behind all that waits', async () => {
  const { socket, queue, takes } = open(1)
  queue.write('x'.repeat(2 * PORTION))
  queue.write('farewell')
  await turn()
  queue.end()
  const early = socket.isEnded

  takes(Infinity)

  expect(early).toBe(false)
  expect(socket.text.endsWith('farewell')).toBe(true)
  expect(socket.isEnded).toBe(true)
})

test('what may not be said yet waits, and keeps its place', async () => {
  const { socket, queue } = open()
  queue.write('one ')
  queue.hold()
  queue.write('two ')
  queue.hold()

  await turn()
  const early = socket.text
  queue.release(true)
  queue.release(true)

  expect(early).toBe('')
  expect(socket.text).toBe('one two ')
})

test('what may not be said any more breaks the connection', () => {
  const { socket, queue } = open()
  queue.write('one')
  queue.hold()

  queue.release(false)

  expect(socket.text).toBe('')
  expect(socket.isDestroyed).toBe(true)
})
