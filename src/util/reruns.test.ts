/** Tasks that run after each change. */
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { Reruns } from './reruns.ts'

const log = pino({ level: 'silent' })

test('a task runs once for all changes before it begins, and again for those after', async () => {
  const runs: string[] = []
  const gate = Promise.withResolvers<void>()
  const reruns = new Reruns(log, 'test', async key => {
    runs.push(key)
    await gate.promise
  })
  reruns.later('a')
  for (let n = 0; n < 3; n++) reruns.later('a')
  reruns.later('b')

  gate.resolve()
  await Promise.all([reruns.settled('a'), reruns.settled('b')])

  expect(runs).toEqual(['a', 'b', 'a'])
})

test('a task that fails runs again after the next change', async () => {
  let runs = 0
  const reruns = new Reruns(log, 'test', async () => {
    runs++
    throw new Error('no')
  })

  for (let n = 0; n < 2; n++) {
    reruns.later('a')
    await reruns.settled('a')
  }

  expect(runs).toBe(2)
})
