import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openLog } from '../log.ts'
import { listen } from './listener.ts'
import { Shaper } from './shaper.ts'
import { WriteBarrier } from './write-barrier.ts'

class Meter {
  paidUntil = 0
  pauses = 0
  pause (): void { this.pauses++ }
  resume (): void { this.pauses-- }
}

describe('the average', () => {
  beforeEach(() => { vi.useFakeTimers() })
  afterEach(() => { vi.useRealTimers() })

  test('a burst of two seconds is read at once, and what is beyond waits for its time', () => {
    const shaper = new Shaper(1000)
    const meter = new Meter()

    shaper.charge(meter, 2000)
    const afterBurst = meter.pauses
    shaper.charge(meter, 500)
    vi.advanceTimersByTime(400)
    const before = meter.pauses
    vi.advanceTimersByTime(200)

    expect([afterBurst, before, meter.pauses]).toEqual([0, 1, 0])
  })

  test('who keeps to the average never waits', () => {
    const shaper = new Shaper(1000)
    const meter = new Meter()
    let waits = 0

    for (let second = 0; second < 60; second++) {
      shaper.charge(meter, 1000)
      waits += meter.pauses
      vi.advanceTimersByTime(1000)
    }

    expect(waits).toBe(0)
  })

  test('one connection that waits does not keep another from being read', () => {
    const shaper = new Shaper(1000)
    const greedy = new Meter(), modest = new Meter(), later = new Meter()

    shaper.charge(greedy, 100_000)
    shaper.charge(modest, 10)
    vi.advanceTimersByTime(10_000)
    shaper.charge(later, 2500)
    vi.advanceTimersByTime(1000)

    expect([greedy.pauses, modest.pauses, later.pauses]).toEqual([1, 0, 0])
    vi.advanceTimersByTime(90_000)
    expect(greedy.pauses).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('without a limit nobody waits', () => {
    const shaper = new Shaper(0)
    const meter = new Meter()

    shaper.charge(meter, 1e12)

    expect(meter.pauses).toBe(0)
  })
})

test('a sender beyond the limit is read slower and loses nothing', async () => {
  const pauses = vi.fn()
  const received: Buffer[] = []
  const end = Promise.withResolvers<void>()
  const shaper = new Shaper(400_000)
  const log = await openLog({ level: 'silent' })
  const listener = await listen(
    ['127.0.0.1:0'],
    { key: 'listen.client', log, barrier: new WriteBarrier(log), shaper },
    transport => {
      const pause = transport.pause.bind(transport)
      transport.pause = () => { pauses(); pause() }
      transport.onData = chunk => received.push(chunk)
      transport.onClose = () => end.resolve()
    })
  const sent = Buffer.from(Array.from({ length: 250_000 }, (_, index) => `${index % 997},`).join(''))

  const peer = connect(listener.addresses[0]?.port ?? 0, '127.0.0.1')
  await once(peer, 'connect')
  peer.end(sent)
  await end.promise
  listener.close()

  expect(Buffer.concat(received).equals(sent)).toBe(true)
  expect(pauses).toHaveBeenCalled()
})
