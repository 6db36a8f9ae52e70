/** What a room sends goes out in order, and so much at a time. */
import { expect, test } from 'vitest'
import { Outbox } from './outbox.ts'

async function tick (): Promise<void> {
  await new Promise(resolve => { setImmediate(resolve) })
}

test('a little is sent at once', () => {
  const outbox = new Outbox()
  const sent: number[] = []

  const done = outbox.send([1, 2, 3], one => { sent.push(one) })

  expect([done, sent, outbox.settled()]).toEqual([undefined, [1, 2, 3], undefined])
})

test('much is sent bit by bit, nothing overtakes anything, and who waits knows when it is done', async () => {
  const outbox = new Outbox()
  const sent: string[] = []
  const crowd = Array.from({ length: 5000 }, (_, n) => n)

  const done = outbox.send(crowd, one => { sent.push(`a${one}`) })
  const after = outbox.send(['last'], one => { sent.push(one) })
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
  const outbox = new Outbox()
  let sent = 0

  for (let n = 0; n < 100; n++) void outbox.send(Array(100).fill(n), () => { sent++ })
  const atOnce = sent
  await outbox.settled()

  expect(atOnce).toBeLessThan(5000)
  expect(sent).toBe(10_000)
})

test('what can not be sent is told to who wanted it sent, and what is behind it goes out', async () => {
  const outbox = new Outbox()
  const sent: string[] = []
  const crowd = Array.from({ length: 5000 }, (_, n) => n)

  const failing = outbox.send(crowd, one => { if (one === 4000) throw new Error('no') })
  const after = outbox.send(['last'], one => { sent.push(one) })

  await expect(failing).rejects.toThrow('no')
  await after
  await outbox.settled()
  expect(sent).toEqual(['last'])
})
