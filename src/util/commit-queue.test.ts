/** Deliveries in the archive's order. */
import * as fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { CommitQueue } from './commit-queue.ts'
import { SLICE_MS } from './slices.ts'

/** What was delivered, in which order. */
function recording (): {
  commits: CommitQueue
  log: string[]
  deliver: (what: string, committed?: Promise<void>) => void | Promise<void>
} {
  const commits = new CommitQueue()
  const log: string[] = []
  return { commits, log, deliver: (what, committed) => commits.afterCommit(committed, () => { log.push(what) }) }
}

test('what waits for nothing is delivered at once', () => {
  const { log, deliver } = recording()

  expect(deliver('presence')).toBeUndefined()
  expect(log).toEqual(['presence'])
})

test('what is kept is delivered when it is committed, and what came after it not before', async () => {
  const { log, deliver } = recording()
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]

  const done = [
    deliver('one', first.promise),
    deliver('two', first.promise),
    deliver('presence'),
    deliver('three', second.promise),
    deliver('iq'),
  ]
  expect(log).toEqual([])
  first.resolve()
  await Promise.all(done.slice(0, 3))
  expect(log).toEqual(['one', 'two', 'presence'])
  second.resolve()
  await Promise.all(done)

  expect(log).toEqual(['one', 'two', 'presence', 'three', 'iq'])
  expect(deliver('later')).toBeUndefined()
})

test('what could not be committed is not delivered, and what only waited for it is', async () => {
  const { log, deliver } = recording()
  const commit = Promise.withResolvers<void>()

  const kept = [deliver('one', commit.promise), deliver('two', commit.promise)]
  const presence = deliver('presence')
  commit.reject(new Error('no room'))

  await expect(Promise.all(kept)).rejects.toThrow('no room')
  await presence
  expect(log).toEqual(['presence'])
})

test('what a delivery brings about comes after what is waiting', async () => {
  const { commits, log, deliver } = recording()
  const commit = Promise.withResolvers<void>()

  const done = commits.afterCommit(commit.promise, () => {
    log.push('one')
    void deliver('answer')
  })
  void deliver('two', commit.promise)
  commit.resolve()
  await done

  expect(log).toEqual(['one', 'two', 'answer'])
})

test('a delivery that breaks does not keep the others back', async () => {
  const { commits, log, deliver } = recording()
  const commit = Promise.withResolvers<void>()

  const broken = commits.afterCommit(commit.promise, () => { throw new Error('a mistake') })
  void Promise.resolve(deliver('two', commit.promise)).catch(() => {})
  commit.resolve()

  await expect(broken).rejects.toThrow('a mistake')
  expect(log).toEqual(['two'])
  expect(deliver('later')).toBeUndefined()
})

test('deliveries that take more than a turn are done before those of the next commit', async () => {
  const commits = new CommitQueue()
  const log: string[] = []
  const long = (what: string): void => {
    const until = performance.now() + 6
    while (performance.now() < until);
    log.push(what)
  }
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]

  const done = [
    ...['one', 'two', 'three'].map(what => commits.afterCommit(first.promise, () => { long(what) })),
    commits.afterCommit(second.promise, () => { long('four') }),
  ]
  first.resolve()
  second.resolve()
  await new Promise(resolve => { setImmediate(resolve) })
  const inOneTurn = log.length
  done.push(commits.afterCommit(undefined, () => { log.push('five') }))
  await Promise.all(done)

  expect(inOneTurn).toBeLessThan(3)
  expect(log).toEqual(['one', 'two', 'three', 'four', 'five'])
  expect(commits.isWaiting).toBe(false)
})

test('what comes at whatever moment around a commit is delivered, in order', async () => {
  const { log, deliver } = recording()
  const commit = Promise.withResolvers<void>()

  void deliver('kept', commit.promise)
  commit.resolve()
  for (let moment = 0; moment < 10; moment++) {
    void deliver(String(moment))
    await undefined
  }
  await new Promise(resolve => { setImmediate(resolve) })

  expect(log).toEqual(['kept', ...Array.from({ length: 10 }, (_, moment) => String(moment))])
})

/**
 * What happens around commits: one begins, messages are kept by it, something comes that is not kept, it ends; time
 * passes.
 */
const EVENT = fc.oneof(
  { weight: 2, arbitrary: fc.constant('begin' as const) },
  { weight: 4, arbitrary: fc.constantFrom('kept' as const, 'long and kept' as const) },
  { weight: 4, arbitrary: fc.constantFrom('unkept' as const, 'long and unkept' as const) },
  { weight: 2, arbitrary: fc.constantFrom('commit' as const, 'commit' as const, 'failure' as const) },
  { weight: 6, arbitrary: fc.constantFrom('moment' as const, 'turn' as const) },
)

test('whatever happens around commits, each delivery is made once, in order, unless its commit fails', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => { vi.useRealTimers() })

  await fc.assert(fc.asyncProperty(fc.array(EVENT, { maxLength: 40 }), async events => {
    const commits = new CommitQueue()
    const log: number[] = []
    const added: { readonly commit: PromiseWithResolvers<void> | undefined, readonly done: Promise<unknown> }[] = []
    const begun = [Promise.withResolvers<void>()]
    const failed = new Set<PromiseWithResolvers<void> | undefined>()
    const add = (commit: PromiseWithResolvers<void> | undefined, isLong: boolean): void => {
      const number = added.length
      const done = commits.afterCommit(commit?.promise, () => {
        if (isLong) vi.advanceTimersByTime(SLICE_MS + 1)
        log.push(number)
      })
      added.push({ commit, done: Promise.resolve(done) })
      added[number]?.done.catch(() => {}) // looked at below
    }
    const end = (event: 'commit' | 'failure'): void => {
      const commit = begun.shift()
      if (begun.length === 0) begun.push(Promise.withResolvers())
      commit?.promise.catch(() => {}) // whoever waits for it hears of it
      if (event === 'commit') return commit?.resolve()
      failed.add(commit)
      commit?.reject(new Error('no room'))
    }

    for (const event of events) {
      if (event === 'begin') begun.push(Promise.withResolvers())
      else if (event === 'commit' || event === 'failure') end(event)
      else if (event === 'moment') await undefined
      else if (event === 'turn') await new Promise(resolve => { setImmediate(resolve) })
      else add(event.endsWith('unkept') ? undefined : begun.at(-1), event.startsWith('long'))
    }
    for (let rest = begun.length; rest > 0; rest--) end('commit')
    const outcomes = await Promise.allSettled(added.map(({ done }) => done))

    const isKept = added.map(({ commit }) => !failed.has(commit))
    expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual(isKept)
    expect(log).toEqual([...isKept.keys()].filter(number => isKept[number]))
    expect(commits.isWaiting).toBe(false)
  }), { numRuns: 300 })
})
