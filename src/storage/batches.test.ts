import { expect, test, vi } from 'vitest'
import { batchedRead } from './batches.ts'

/** A loader whose loads end when the test says so. */
function gatedLoader () {
  const loads: { keys: readonly number[], done: PromiseWithResolvers<ReadonlyMap<number, string>> }[] = []
  const read = batchedRead<number, string>(keys => {
    const done = Promise.withResolvers<ReadonlyMap<number, string>>()
    loads.push({ keys, done })
    return done.promise
  })
  const finish = async (index: number): Promise<void> => {
    const load = await vi.waitUntil(() => loads[index], { interval: 1 })
    load.done.resolve(new Map(load.keys.filter(key => key >= 0).map(key => [key, `value ${key}`])))
    await new Promise(setImmediate)
  }
  return { loads, read, finish }
}

test('what is asked for while a load is under way goes together in the next one, each key once', async () => {
  const { loads, read, finish } = gatedLoader()

  const answers = Promise.all([read(1), read(2), read(3), read(2)])
  await finish(0)
  await finish(1)

  expect(await answers).toEqual(['value 1', 'value 2', 'value 3', 'value 2'])
  expect(loads.map(load => load.keys)).toEqual([[1], [2, 3]])
})

test('a key that is under way is read again, since it may have changed since', async () => {
  const { loads, read, finish } = gatedLoader()

  const answers = Promise.all([read(1), read(1)])
  await finish(0)
  await finish(1)
  await answers

  expect(loads.map(load => load.keys)).toEqual([[1], [1]])
})

test('a key without a value is undefined', async () => {
  const { read, finish } = gatedLoader()

  const answer = read(-1)
  await finish(0)

  expect(await answer).toBeUndefined()
})

test('a load takes at most 500 keys, in the order they were asked for', async () => {
  const { loads, read, finish } = gatedLoader()

  const answers = Promise.all(Array.from({ length: 1202 }, (_, key) => read(key)))
  for (let index = 0; index < 4; index++) await finish(index)
  await answers

  expect(loads.map(load => [load.keys[0], load.keys.length])).toEqual([[0, 1], [1, 500], [501, 500], [1001, 201]])
})

test('a load that fails, fails for those whose keys it had, and for nobody else', async () => {
  const { loads, read, finish } = gatedLoader()

  const answers = Promise.allSettled([read(1), read(2), read(2)])
  await finish(0)
  const failing = await vi.waitUntil(() => loads[1], { interval: 1 })
  failing.done.reject(new Error('the disk is on fire'))
  await answers
  const later = read(2)
  await finish(2)

  expect((await answers).map(answer => answer.status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  expect(await later).toBe('value 2')
})
