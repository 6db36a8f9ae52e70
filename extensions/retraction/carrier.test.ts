/** How retractions that wait are carried out. */
import { expect, test } from 'vitest'
import { Carrier } from './carrier.ts'

/** Each time that it is to carry something out it waits to be told how that ends. */
function stage () {
  const times: PromiseWithResolvers<void>[] = []
  const failures: unknown[] = []
  const carrier = new Carrier(() => {
    const time = Promise.withResolvers<void>()
    times.push(time)
    return time.promise
  }, error => { failures.push(error) })
  return { carrier, times, failures }
}

test('what comes while others are carried out is not forgotten, and many are done in one go', async () => {
  const { carrier, times } = stage()
  carrier.add()
  await expect.poll(() => times.length).toBe(1)
  for (let n = 0; n < 5; n++) carrier.add()

  times[0]?.resolve()

  await expect.poll(() => times.length).toBe(2)
  times[1]?.resolve()
  await carrier.inTurn(async () => {})
  expect(times).toHaveLength(2)
})

test('a thousand may wait, and none does when they are carried out', async () => {
  const { carrier, times } = stage()
  for (let n = 0; n < 999; n++) carrier.add()
  expect(carrier.isFull).toBe(false)

  carrier.add()

  expect(carrier.isFull).toBe(true)
  await expect.poll(() => times.length).toBe(1)
  times[0]?.resolve()
  await carrier.inTurn(async () => {})
  expect(carrier.isFull).toBe(false)
})

test.each(['it', 'what was before it'])('it goes on after %s has failed', async which => {
  const { carrier, times, failures } = stage()
  if (which !== 'it') carrier.inTurn(() => Promise.reject(new Error('no'))).catch(() => {})
  carrier.add()
  if (which === 'it') {
    await expect.poll(() => times.length).toBe(1)
    times[0]?.reject(new Error('no'))
  }
  await expect.poll(() => failures).toEqual([new Error('no')])
  const before = times.length

  carrier.add()

  await expect.poll(() => times.length).toBe(before + 1)
})
