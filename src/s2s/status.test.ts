/** What is told about other servers. */
import { expect, test } from 'vitest'
import type { PairStatus } from './queue/pair-queue.ts'
import { statusOf } from './status.ts'
import type { ProvenPair } from './streams.ts'

const NOW = Date.UTC(2026, 0, 1)
const LOCAL = 'montague.example'

function queue (remote: string, more: Partial<PairStatus> = {}): PairStatus {
  return {
    local: LOCAL, remote, waiting: 0, oldest: undefined, lastError: undefined, nextAttempt: undefined,
    provenBy: undefined, tls: undefined, ...more,
  }
}

function stream (remote: string, direction: ProvenPair['direction'], provenBy: ProvenPair['provenBy']): ProvenPair {
  return {
    local: LOCAL, remote, direction, provenBy, tls: 'TLSv1.3', address: '192.0.2.1', received: 0, sent: 0, link: undefined,
  }
}

test('a pair of domains is told once, with its queue and what its streams are', () => {
  const queues = [queue('capulet.example', { waiting: 2, oldest: NOW - 61_500, lastError: 'nobody listens' })]
  const streams = [stream('capulet.example', 'in', 'dialback'), stream('capulet.example', 'out', 'certificate')]

  expect(statusOf(queues, streams, NOW)).toEqual([{
    local: LOCAL, remote: 'capulet.example', direction: 'both', provenBy: ['dialback', 'certificate'], tls: ['TLSv1.3'],
    waiting: 2, oldestSeconds: 61, lastError: 'nobody listens',
  }])
})

test('a domain without a stream is told, and one without a queue, and first where most is waiting', () => {
  const queues = [queue('a.example'), queue('b.example', { waiting: 1 })]

  const status = statusOf(queues, [stream('0.example', 'in', 'certificate')], NOW)

  expect(status.map(({ remote, direction, waiting }) => [remote, direction, waiting])).toEqual([
    ['b.example', undefined, 1], ['0.example', 'in', 0], ['a.example', undefined, 0],
  ])
})
