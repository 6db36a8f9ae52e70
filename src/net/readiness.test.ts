import { afterEach, expect, test, vi } from 'vitest'
import { openLog } from '../log.ts'
import { listenHttp } from './http.ts'
import type { HttpListener } from './http.ts'
import { Readiness } from './readiness.ts'

const open: HttpListener[] = []

afterEach(() => {
  vi.useRealTimers()
  for (const listener of open.splice(0)) listener.close()
})

async function make (): Promise<{ readonly readiness: Readiness, readonly lines: readonly string[] }> {
  const lines: string[] = []
  const log = await openLog({ level: 'info' }, { write: line => { lines.push(line) } })
  return { readiness: new Readiness(log), lines }
}

async function ask (readiness: Readiness): Promise<readonly [status: number, text: string]> {
  const log = await openLog({ level: 'silent' })
  const listener = await listenHttp(['127.0.0.1:0'], { key: 'listen.http', log, routes: readiness.routes })
  open.push(listener)
  const response = await fetch(`http://127.0.0.1:${listener.addresses[0]?.port}/readyz`)
  return [response.status, await response.text()]
}

test('a node that nothing speaks against is ready', async () => {
  const { readiness } = await make()
  readiness.check('server', () => undefined)
  readiness.check('database', () => Promise.resolve(undefined))

  expect(await ask(readiness)).toEqual([200, 'ready\n'])
})

test('a node says each reason why it is not ready', async () => {
  const { readiness } = await make()
  readiness.check('server', () => 'stopping')
  readiness.check('cluster', () => undefined)
  readiness.check('redis', () => Promise.resolve('no answer'))

  expect(await ask(readiness)).toEqual([503, 'server: stopping\nredis: no answer\n'])
})

test.each([
  ['rejects', () => Promise.reject(new Error('password of heliograph'))],
  ['throws', () => { throw new Error('password of heliograph') }],
])('a probe that %s is a reason, and its error is not for everybody', async (_name, probe) => {
  const { readiness } = await make()
  readiness.check('database', probe)

  expect(await ask(readiness)).toEqual([503, 'database: failed\n'])
})

test('a probe that takes time is asked once a second, whoever asks', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const { readiness } = await make()
  let asked = 0
  readiness.check('database', () => Promise.resolve(`asked ${++asked}`))

  const first = await Promise.all([readiness.reasons(), readiness.reasons()])
  vi.advanceTimersByTime(900)
  const second = await readiness.reasons()
  vi.advanceTimersByTime(200)
  const third = await readiness.reasons()

  expect([...first, second, third].flat()).toEqual([1, 1, 1, 2].map(count => `database: asked ${count}`))
})

test('a probe that answers at once is asked each time', async () => {
  const { readiness } = await make()
  let reason: string | undefined
  readiness.check('server', () => reason)

  const before = await readiness.reasons()
  reason = 'draining'

  expect([before, await readiness.reasons()]).toEqual([[], ['server: draining']])
})

test('a probe that hangs is a reason, and is asked again by and by', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const { readiness } = await make()
  const hanging = Promise.withResolvers<undefined>()
  const probe = vi.fn<() => Promise<undefined>>().mockReturnValueOnce(hanging.promise).mockResolvedValue(undefined)
  readiness.check('database', probe)

  const first = await readiness.reasons()
  vi.advanceTimersByTime(5_000)
  const second = await readiness.reasons()
  const askedMeanwhile = probe.mock.calls.length
  vi.advanceTimersByTime(6_000)
  const third = await readiness.reasons()

  expect([first, second, third]).toEqual([
    ['database: no answer in 2 seconds'], ['database: no answer in 2 seconds'], [],
  ])
  expect(askedMeanwhile).toBe(1)
})

test('the log says when a node stops being ready, and when it is again', async () => {
  const { readiness, lines } = await make()
  let reason: string | undefined
  readiness.check('server', () => reason)

  for (const next of [undefined, 'draining', 'draining', undefined, undefined]) {
    reason = next
    await ask(readiness)
  }

  expect(lines.map(line => JSON.parse(line) as unknown)).toMatchObject([
    { level: 'warn', reasons: ['server: draining'], event: 'readiness.lost' },
    { level: 'info', event: 'readiness.regained' },
  ])
})

test('what somebody wanted is no news', async () => {
  const { readiness, lines } = await make()
  readiness.check('server', () => 'stopping', true)

  expect(await ask(readiness)).toEqual([503, 'server: stopping\n'])
  expect(lines).toEqual([])
})
