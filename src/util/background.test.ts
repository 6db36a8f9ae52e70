/** What runs while nobody waits for it. */
import { expect, test } from 'vitest'
import { openLog } from '../log.ts'
import { eachInSlices, inBackground } from './background.ts'

test('a task in the background that fails is logged by its name, and costs nothing else', async () => {
  const lines: string[] = []
  const log = await openLog({ level: 'info' }, { write (line) { lines.push(line) } })

  inBackground(log, 'counting sheep', Promise.reject(new Error('one is missing')))
  inBackground(log, 'nothing to wait for', undefined)
  await new Promise(resolve => { setImmediate(resolve) })

  expect(lines.map(line => JSON.parse(line))).toEqual([
    expect.objectContaining({
      level: 'error',
      task: 'counting sheep',
      err: expect.objectContaining({ message: 'one is missing' }),
    }),
  ])
})

test('many items are dealt with in order, in many turns of the event loop, and one that fails costs no other', async () => {
  const lines: string[] = []
  const log = await openLog({ level: 'info' }, { write (line) { lines.push(line) } })
  const items = Array.from({ length: 30 }, (_, index) => index)
  const done: number[] = []
  let [turns, isOver] = [0, false]
  const count = (): void => {
    turns++
    if (!isOver) setImmediate(count)
  }
  count()

  await eachInSlices(log, 'counting sheep', items, item => {
    const until = performance.now() + 1
    while (performance.now() < until);
    if (item === 3) throw new Error('one is missing')
    done.push(item)
  })
  isOver = true

  expect(done).toEqual(items.filter(item => item !== 3))
  expect(lines).toEqual([expect.stringContaining('counting sheep')])
  expect(turns).toBeGreaterThanOrEqual(4)
})
