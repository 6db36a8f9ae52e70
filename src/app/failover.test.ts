/** What becomes of a dead node's state that can't be taken over. */
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Cluster } from '../cluster/cluster.ts'
import { openLog } from '../log.ts'
import { serveCluster } from './cluster-handlers.ts'
import type { Core } from './core.ts'

const HOUR_MS = 3_600_000

test('a room that can\'t be taken over is tried less and less often, warned of, and in the end left to expire', async () => {
  vi.useFakeTimers()
  onTestFinished(() => { vi.useRealTimers() })
  const lines: string[] = []
  const log = await openLog({ level: 'warn' }, { write (line) { lines.push(line) } })
  const calls: string[] = []
  const call = (name: string) => async (node: string): Promise<void> => { calls.push(`${name} of ${node}`) }
  const cluster = {
    bus: { answer () {} }, homes: {},
    membership: { whenLeaseLost () {}, isAlive: () => false, nodes: ['here'], id: 'here' },
    records: {
      owners: async () => calls.includes('sessions of dead') ? [] : ['dead'],
      accountsOf: async () => [], expireNode: call('sessions'),
    },
    roomRecords: { roomsOf: async () => ['coven@conference.localhost'], expireNode: call('rooms') },
  }
  let tries = 0
  const rooms = {
    endAbandoned: async () => {},
    takeOver: () => {
      tries++
      return Promise.reject(new Error('its configuration can\'t be read'))
    },
  }
  const core = { rooms, router: { requests: {} }, part: () => ({}) }
  const stop = serveCluster(cluster as unknown as Cluster, core as unknown as Core, log, {
    scanMs: 5_000, graceMs: 10_000,
  })
  onTestFinished(stop)

  await vi.advanceTimersByTimeAsync(HOUR_MS)
  const triesInAnHour = tries
  const warnedInAnHour = lines.length
  const expiredInAnHour = calls.length
  await vi.advanceTimersByTimeAsync(20 * HOUR_MS)

  expect(triesInAnHour).toBeGreaterThanOrEqual(5)
  expect(triesInAnHour).toBeLessThanOrEqual(12)
  expect([warnedInAnHour, expiredInAnHour]).toEqual([1, 0])
  expect([tries, lines.length]).toEqual([20, 2])
  expect(lines[0]).toContain('failover.takeover_failed')
  expect(calls).toEqual(['rooms of dead', 'sessions of dead'])
})
