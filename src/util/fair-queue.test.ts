import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { FairQueue, FullError } from './fair-queue.ts'

/** A task that ends when it is told to, and one that has begun is noted. */
function tasks (): {
  readonly begun: string[]
  task (name: string): () => Promise<void>
  end (name: string): Promise<void>
} {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  return {
    begun,
    task: name => () => {
      begun.push(name)
      return new Promise(resolve => { ends.set(name, resolve) })
    },
    async end (name) {
      ends.get(name)?.()
      await new Promise(resolve => { setImmediate(resolve) })
    },
  }
}

test('one task at a time of each who asks, and so many of all', () => {
  const queue = new FairQueue({ atOnce: 2, waitingEach: 9 })
  const { begun, task } = tasks()

  for (const name of ['a1', 'a2', 'b1', 'b2', 'c1']) void queue.run(name.charAt(0), task(name))

  expect(begun).toEqual(['a1', 'b1'])
})

test('whoever has asked for little is next, however much the others have waiting', async () => {
  const queue = new FairQueue({ atOnce: 1, waitingEach: 9 })
  const { begun, task, end } = tasks()
  for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'c2']) void queue.run(name.charAt(0), task(name))

  for (const name of ['a1', 'a2', 'b1', 'c1', 'a3', 'c2']) await end(name)

  expect(begun).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'c2', 'a4'])
})

test('what is too much is refused, to who asked for too much alone', async () => {
  const queue = new FairQueue({ atOnce: 1, waitingEach: 2 })
  const { begun, task, end } = tasks()
  for (const name of ['a1', 'a2', 'a3']) void queue.run('a', task(name))

  await expect(queue.run('a', task('a4'))).rejects.toThrow(FullError)
  void queue.run('b', task('b1'))
  for (const name of ['a1', 'a2', 'b1', 'a3']) await end(name)
  void queue.run('a', task('a5'))

  expect(begun).toEqual(['a1', 'a2', 'b1', 'a3', 'a5'])
})

test('a task that fails is the end of nothing but itself', async () => {
  const queue = new FairQueue({ atOnce: 1, waitingEach: 9 })

  const answers = await Promise.allSettled([
    queue.run('a', () => Promise.reject(new Error('failed'))),
    queue.run('a', () => Promise.resolve(2)),
    queue.run('b', () => Promise.resolve(3)),
  ])

  expect(answers.map(answer => answer.status === 'fulfilled' ? answer.value : String(answer.reason))).toEqual([
    'Error: failed',
    2,
    3,
  ])
})

test("every task runs, each one's in the order in which they were asked for", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(4), { maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      fc.scheduler(),
      async (askers, atOnce, scheduler) => {
        const queue = new FairQueue({ atOnce, waitingEach: 60 })
        const done: (readonly [number, number])[] = []
        let running = 0

        const all = Promise.all(askers.map((asker, index) => queue.run(String(asker), async () => {
          expect(++running).toBeLessThanOrEqual(atOnce)
          await scheduler.schedule(Promise.resolve())
          running--
          done.push([asker, index])
        })))
        await scheduler.waitFor(all)

        for (const asker of new Set(askers)) {
          expect(done.filter(([one]) => one === asker).map(([, index]) => index)).toEqual(askers.flatMap((one, index) =>
            one === asker ? [index] : []
          ))
        }
      }))
})
