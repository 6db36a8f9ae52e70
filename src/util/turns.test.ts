import { setImmediate as nextTurn } from 'node:timers/promises'
import * as fc from 'fast-check'
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

test('what goes first is done in its order, before all that waits', async () => {
  const turns = new Turns()
  const done: string[] = []
  const says = (what: string) => (): void => { done.push(what) }

  const running = turns.inTurn('one', async () => {
    await nextTurn()
    says('running')()
  })
  const waiting = turns.inTurn('one', says('waiting'))
  turns.first('one', [says('second'), says('third')])
  turns.first('one', [async () => says('first')()])
  turns.first('another', [says('at once')])
  await Promise.all([running, waiting])

  expect(done).toEqual(['at once', 'running', 'first', 'second', 'third', 'waiting'])
  expect([turns.isBusy('one'), turns.isBusy('another')]).toEqual([false, false])
})

test('what goes first is before a task that waits for the next slice', async () => {
  const turns = new Turns()
  const done: string[] = []

  const running = turns.inTurn('one', async () => { work(20) })
  const waiting = turns.inTurn('one', () => { done.push('waiting') })
  await running
  await undefined
  turns.first('one', [() => { done.push('first') }])
  await waiting

  expect(done).toEqual(['first', 'waiting'])
})

const TASK = fc.record({
  key: fc.constantFrom('a', 'b', 'c'),
  how: fc.constantFrom('at once' as const, 'later' as const, 'failing' as const),
})

test('whatever is asked for is done once, each key\'s in its order and one at a time', async () => {
  await fc.assert(fc.asyncProperty(fc.array(TASK, { maxLength: 40 }), fc.scheduler(), async (tasks, scheduler) => {
    const turns = new Turns()
    const log: number[] = []
    const running = new Set<string>()

    const asked = tasks.map(async ({ key, how }, number) => {
      if (number % 7 === 6) await scheduler.schedule(Promise.resolve())
      await turns.inTurn(key, (): void | Promise<void> => {
        expect(running.has(key)).toBe(false)
        log.push(number)
        if (how === 'at once') return
        running.add(key)
        return scheduler.schedule(Promise.resolve()).then(() => {
          running.delete(key)
          if (how === 'failing') throw new Error('failed')
        })
      })
    })
    const outcomes = await scheduler.waitFor(Promise.allSettled(asked))

    expect(outcomes.map(({ status }) => status)).toEqual(
      tasks.map(({ how }) => how === 'failing' ? 'rejected' : 'fulfilled'),
    )
    expect(log.toSorted((one, other) => one - other)).toEqual([...tasks.keys()])
    const early = log.filter(number => number % 7 !== 6)
    for (const one of ['a', 'b', 'c']) {
      const ofKey = early.filter(number => tasks[number]?.key === one)
      expect(ofKey).toEqual(ofKey.toSorted((first, second) => first - second))
      expect(turns.isBusy(one)).toBe(false)
    }
  }))
})
