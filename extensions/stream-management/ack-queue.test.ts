/** XEP-0198 §4: the arithmetic of acknowledgements. */
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { el, iq, Jid, message, presence } from '../../src/extension/api.ts'
import { AckQueue, delayed, parseCount } from './ack-queue.ts'
import type { Sent } from './ack-queue.ts'

const TO = Jid.parse('juliet@localhost/balcony')

function sent (body: string): Sent {
  return {
    stanza: message('chat', { id: body, to: TO }, el('body', 'jabber:client', {}, body)),
    at: 0,
    siblingSessions: [],
  }
}

function fill (queue: AckQueue, ...bodies: readonly string[]): AckQueue {
  for (const body of bodies) queue.push(sent(body))
  return queue
}

function ids (entries: readonly Sent[] | undefined): readonly (string | undefined)[] | undefined {
  return entries?.map(({ stanza }) => stanza.id)
}

describe('an acknowledgement', () => {
  test('takes the oldest, in order, and leaves the rest', () => {
    const queue = fill(new AckQueue(), 'a', 'b', 'c')

    expect(ids(queue.acknowledge(2))).toEqual(['a', 'b'])
    expect(ids(queue.waiting)).toEqual(['c'])
    expect(queue.sent).toBe(3)
  })

  test('says the count of all, not of those since the last', () => {
    const queue = fill(new AckQueue(), 'a', 'b', 'c')
    queue.acknowledge(2)

    expect(ids(queue.acknowledge(3))).toEqual(['c'])
  })

  test('that repeats or takes back what was said is no news', () => {
    const queue = fill(new AckQueue(), 'a', 'b', 'c')
    queue.acknowledge(2)

    expect(queue.acknowledge(2)).toEqual([])
    expect(queue.acknowledge(0)).toEqual([])
    expect(ids(queue.waiting)).toEqual(['c'])
  })

  test('of more than was sent is none, and changes nothing', () => {
    const queue = fill(new AckQueue(), 'a', 'b')

    expect(queue.acknowledge(3)).toBeUndefined()
    expect(ids(queue.waiting)).toEqual(['a', 'b'])
  })

  test('goes on from 0 after 2³²−1', () => {
    const queue = fill(new AckQueue(2 ** 32 - 2), 'a', 'b', 'c')

    expect(queue.sent).toBe(1)
    expect(ids(queue.acknowledge(2 ** 32 - 1))).toEqual(['a'])
    expect(ids(queue.acknowledge(1))).toEqual(['b', 'c'])
    expect(queue.acknowledge(2)).toBeUndefined()
  })

  test('leaves as many bytes as wait', () => {
    const queue = fill(new AckQueue(), 'a', 'bb')
    const left = fill(new AckQueue(), 'bb').bytes
    queue.acknowledge(1)

    expect(queue.bytes).toBe(left)
    queue.acknowledge(2)
    expect(queue.bytes).toBe(0)
  })

  test('leaves what a list would leave, wherever the count starts', () => {
    const steps = fc.array(fc.oneof(fc.constant('send' as const), fc.nat({ max: 5 })), { maxLength: 100 })
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), steps, (start, steps) => {
      const queue = new AckQueue(start)
      const model: string[] = []
      let acknowledged = start
      for (const [index, step] of steps.entries()) {
        if (step === 'send') {
          fill(queue, String(index))
          model.push(String(index))
        } else {
          const h = (acknowledged + step) % 2 ** 32
          const expected = step <= model.length ? model.splice(0, step) : undefined
          expect(ids(queue.acknowledge(h))).toEqual(expected)
          if (expected) acknowledged = h
        }
        expect(ids(queue.waiting)).toEqual(model)
      }
    }))
  })
})

test('what has to wait for long holds no memory but its own', () => {
  const network = Buffer.alloc(100_000)
  const borrowed = message('chat', { to: TO })
  Object.assign(borrowed, { inner: network.subarray(0, 3) })
  const queue = new AckQueue()
  queue.push({ stanza: borrowed, at: 0, siblingSessions: [] })

  queue.settle()

  expect(queue.waiting[0]?.stanza.inner.buffer).not.toBe(network.buffer)
  expect(queue.waiting[0]?.stanza.inner).toHaveLength(3)
})

describe('what is sent again', () => {
  test('says when it was sent first (§4)', () => {
    const again = delayed(sent('a').stanza, Date.UTC(2024, 0, 2, 3, 4, 5))

    expect(again.toXml()).toMatch(/<delay xmlns='urn:xmpp:delay' from='localhost' stamp='2024-01-02T03:04:05.000Z'\/>/)
  })

  test('keeps the time that it has', () => {
    const delay = el('delay', 'urn:xmpp:delay', { stamp: '2020-01-01T00:00:00Z' })
    const stanza = presence('available', { to: TO }, delay)

    expect(delayed(stanza, 0)).toBe(stanza)
  })

  test('has no time where it is a request or an answer', () => {
    const stanza = iq('result', { to: TO, id: '1' })

    expect(delayed(stanza, 0)).toBe(stanza)
  })
})

test.each([
  ['0', 0], ['17', 17], ['4294967295', 2 ** 32 - 1], ['4294967296', undefined], ['-1', undefined], ['', undefined],
  ['1.5', undefined], ['0x10', undefined], [undefined, undefined],
])('the count %j is %j', (text, count) => {
  expect(parseCount(text)).toBe(count)
})
