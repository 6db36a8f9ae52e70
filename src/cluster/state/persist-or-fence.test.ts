/** What clients may hear of state that goes to Redis first. */
import { pino } from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import { neverRejects } from '../../util/background.ts'
import { Refusals } from '../redis.ts'
import { persistOrFence } from './persist-or-fence.ts'
import type { PersistParts } from './persist-or-fence.ts'

type State = Awaited<ReturnType<PersistParts['membership']['settledState']>>

/** A node that finds itself in these states, one after the other, whenever it has to ask. */
function node (hasLease: boolean, ...states: State[]): PersistParts {
  const membership = { hasLease, evictions: 0, settledState: () => Promise.resolve(states.shift() ?? 'active') }
  return { membership, refusals: new Refusals(pino({ level: 'silent' }), 'what a test writes') }
}

/** A write that fails so often before it succeeds. */
function failing (times: number): { readonly write: () => Promise<void>, readonly calls: () => number } {
  let calls = 0
  const write = (): Promise<void> => ++calls <= times ? Promise.reject(new Error('Redis is away')) : Promise.resolve()
  return { write, calls: () => calls }
}

test('clients hear of what is written while the lease holds', async () => {
  const { write, calls } = failing(0)

  const mayBeSaid = await persistOrFence(node(true, 'fenced'), write)

  expect([mayBeSaid, calls()]).toEqual([true, 1])
})

test('clients hear of what a node wrote late, if it is still a member', async () => {
  const mayBeSaid = await persistOrFence(node(false, 'active'), failing(0).write)

  expect(mayBeSaid).toBe(true)
})

test('clients hear nothing of what a frozen node wrote after another node took over', async () => {
  const mayBeSaid = await persistOrFence(node(false, 'fenced'), failing(0).write)

  expect(mayBeSaid).toBe(false)
})

test('what could not be written is written again while the node is a member', async () => {
  const { write, calls } = failing(2)

  const mayBeSaid = await persistOrFence(node(true, 'active', 'active'), write)

  expect([mayBeSaid, calls()]).toEqual([true, 3])
})

test('clients hear of what is not written where nobody can reach Redis', async () => {
  const { write, calls } = failing(Infinity)

  const mayBeSaid = await persistOrFence(node(false, 'redis-outage'), write)

  expect([mayBeSaid, calls()]).toEqual([true, 1])
})

test('a fenced node does not write again, and its clients hear nothing', async () => {
  const { write, calls } = failing(Infinity)

  const mayBeSaid = await persistOrFence(node(false, 'active', 'fenced'), write)

  expect([mayBeSaid, calls()]).toEqual([false, 2])
})

test('what is written after a failure may be something else', async () => {
  const [first, second] = [failing(Infinity), failing(1)]

  const mayBeSaid = await persistOrFence(node(true, 'active', 'active'), first.write, second.write)

  expect([mayBeSaid, first.calls(), second.calls()]).toEqual([true, 1, 2])
})

test('what Redis goes on refusing is written again after longer and longer pauses', async () => {
  vi.useFakeTimers()
  onTestFinished(() => { vi.useRealTimers() })
  const { write, calls } = failing(Infinity)

  neverRejects(persistOrFence(node(true), write))
  const perSecond: number[] = []
  for (let second = 0; second < 5; second++) {
    const before = calls()
    await vi.advanceTimersByTimeAsync(1_000)
    perSecond.push(calls() - before)
  }

  expect(Math.max(...perSecond)).toBeLessThan(10)
  expect(perSecond.at(-1)).toBeLessThanOrEqual(2)
  expect(perSecond.at(-1)).toBeGreaterThanOrEqual(1)
})

test('clients hear nothing of what a node wrote when another took over between two attempts', async () => {
  const parts = node(true)
  let evictions = 0
  const membership = { ...parts.membership, get evictions () { return evictions } }
  const { write } = failing(1)

  const mayBeSaid = await persistOrFence({ ...parts, membership }, write, () => {
    evictions++ // it has joined again by now
    return write()
  })

  expect(mayBeSaid).toBe(false)
})
