import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Turns } from './turns.ts'

/** Works for so long without a break, in milliseconds. */
function work (ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

test('what is asked for at once under one key is done in its order, and others have their turn in between', async () => {
  const turns = new Turns()
  const done: (number | 'other')[] = []

  const all = Array.from({ length: 40 }, (_, number) => turns.inTurn('one', async () => {
    await undefined
    work(2)
    done.push(number)
  }))
  while (done.at(-1) !== 39) {
    await nextTurn()
    done.push('other')
    if (done.includes(39)) break
  }
  await Promise.all(all)

  expect(done.filter(one => one !== 'other')).toEqual([...Array(40).keys()])
  const between = done.join(' ').split('other').map(part => part.trim().split(' ').length)
  expect(Math.max(...between)).toBeLessThan(10)
})

test('what comes while a task of its key is done waits, whatever becomes of that', async () => {
  const turns = new Turns()
  const done: string[] = []

  const failed = turns.inTurn('one', async () => {
    await nextTurn()
    done.push('first')
    throw new Error('first')
  })
  const after = turns.inTurn('one', () => { done.push('second') })
  await turns.inTurn('another', () => { done.push('another') })

  await expect(failed).rejects.toThrow('first')
  await after
  expect(done).toEqual(['another', 'first', 'second'])
})
