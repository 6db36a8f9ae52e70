/** What a room sends goes out in order, and so much at a time. */
import { expect, test } from 'vitest'
import { SendQueue } from './send-queue.ts'

async function tick (): Promise<void> {
  await new Promise(resolve => { setImmediate(resolve) })
}

test('a little is sent at once', () => {
  const outbox = new SendQueue()
  const sent: number[] = []

  const done = outbox.send([1, 2, 3], one => { sent.push(one); return 0 })

  expect([done, sent, outbox.settled()]).toEqual([undefined, [1, 2, 3], undefined])
})

test('much is sent bit by bit, nothing overtakes anything, and who waits knows when it is done', async () => {
  const outbox = new SendQueue()
  const sent: string[] = []
  const crowd = Array.from({ length: 5000 }, (_, n) => n)

  const done = outbox.send(crowd, one => { sent.push(`a${one}`); return 0 })
  const after = outbox.send(['last'], one => { sent.push(one); return 0 })
  let isDone = false
  void done?.then(() => { isDone = true })
  await tick()
  const first = sent.length

  expect(first).toBeGreaterThan(0)
  expect(first).toBeLessThan(5000)
  expect(isDone).toBe(false)
  await Promise.all([done, after, outbox.settled()])
  expect(sent).toEqual([...crowd.map(one => `a${one}`), 'last'])
})

test('many small ones in one go are bounded as one large one is', async () => {
  const outbox = new SendQueue()
  let sent = 0

  for (let n = 0; n < 100; n++) void outbox.send(Array(100).fill(n), () => { sent++; return 0 })
  const atOnce = sent
  await outbox.settled()

  expect(atOnce).toBeLessThan(5000)
  expect(sent).toBe(10_000)
})

test('what many rooms send in one turn is no more than one room may', async () => {
  await tick()
  const rooms = Array.from({ length: 20 }, () => new SendQueue())
  const counts = rooms.map(() => 0)

  const done = rooms.map((room, n) => room.send(Array(100).fill(n), () => {
    const until = performance.now() + 0.1
    while (performance.now() < until);
    counts[n] = (counts[n] ?? 0) + 1
    return 0
  }))
  const atOnce = counts.filter(count => count > 0).length
  await Promise.all(done)

  expect(atOnce).toBeLessThan(10)
  expect(counts).toEqual(rooms.map(() => 100))
})

test('large stanzas are sent in smaller portions than small ones, in order', async () => {
  const outbox = new SendQueue()
  const sent: string[] = []
  const crowd = Array.from({ length: 300 }, (_, n) => n)

  const large = outbox.send(crowd, one => sent.push(`large ${one}`) && 250_000)
  const small = outbox.send(crowd, one => sent.push(`small ${one}`) && 100)
  const portions = [sent.length]
  for (let before = 0; sent.length > before;) {
    before = sent.length
    await tick()
    if (sent.length > before) portions.push(sent.length - before)
  }
  await Promise.all([large, small])

  expect(Math.max(...portions.slice(0, 15)) * 250_000).toBeLessThan(5_000_000)
  expect(portions.length).toBeLessThan(25)
  expect(sent).toEqual([...crowd.map(one => `large ${one}`), ...crowd.map(one => `small ${one}`)])
})

test('what can not be sent is told to who wanted it sent, and what is behind it goes out', async () => {
  const outbox = new SendQueue()
  const sent: string[] = []
  const crowd = Array.from({ length: 5000 }, (_, n) => n)

  const failing = outbox.send(crowd, one => { if (one === 4000) throw new Error('no'); return 0 })
  const after = outbox.send(['last'], one => { sent.push(one); return 0 })

  await expect(failing).rejects.toThrow('no')
  await after
  await outbox.settled()
  expect(sent).toEqual(['last'])
})
