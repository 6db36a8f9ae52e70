/** Who counts as not reading, and who goes when there is too much that nobody reads. */
import { describe, expect, test } from 'vitest'
import type { StreamError } from '../xmpp/errors.ts'
import { isStuck, limitUnread, observe } from './unread.ts'
import type { Backlog, UnreadStream } from './unread.ts'

const MEGABYTE = 1024 * 1024

describe('a client', () => {
  test('is not stuck because of what was written in this moment, however much', () => {
    const output = { bufferedBytes: 100 * MEGABYTE, sentBytes: 0 }

    const backlog = observe(undefined, output, 1000)

    expect(backlog && isStuck(backlog, output, 1000)).toBe(false)
  })

  test('is not stuck as long as it reads, however slowly', () => {
    let backlog: Backlog | undefined
    let wasStuck = false

    for (let seconds = 0; seconds < 600; seconds += 5) {
      const output = { bufferedBytes: 50 * MEGABYTE, sentBytes: seconds * 1000 }
      backlog = observe(backlog, output, seconds * 1000)
      wasStuck ||= backlog !== undefined && isStuck(backlog, output, seconds * 1000)
    }

    expect(wasStuck).toBe(false)
  })

  test.each([[17 * MEGABYTE, true], [15 * MEGABYTE, false]])(
    'that takes nothing of %i bytes is stuck, if that is a lot: %s', (bufferedBytes, expected) => {
      const output = { bufferedBytes, sentBytes: 5 }

      const backlog = observe(observe(undefined, output, 0), output, 10_000)

      expect(backlog && isStuck(backlog, output, 10_000)).toBe(expected)
    })
})

describe('what all clients leave unread', () => {
  function stream (bufferedBytes: number, since?: number): UnreadStream & { readonly ended?: StreamError } {
    const backlog = since === undefined ? undefined : { sent: 0, since }
    return {
      bufferedBytes, backlog, isClosed: false,
      close (error) { Object.assign(this, { ended: error, isClosed: true }) },
    }
  }

  test('costs those their streams who have taken nothing for longest, until the rest is little enough', () => {
    const streams = [stream(4, 5000), stream(4, 1000), stream(4, 3000), stream(4)]

    limitUnread(streams, 8, 20_000)

    expect(streams.map(({ ended }) => ended?.condition)).toEqual([
      undefined,
      'resource-constraint',
      'resource-constraint',
      undefined,
    ])
  })

  test('costs nobody anything who has read something lately, nor who had no time to', () => {
    const streams = [stream(100, 19_000), stream(100)]

    limitUnread(streams, 8, 20_000)

    expect(streams.map(({ ended }) => ended)).toEqual([undefined, undefined])
  })

  test('may have no limit', () => {
    const streams = [stream(100, 0)]

    limitUnread(streams, 0, 20_000)

    expect(streams[0]?.ended).toBeUndefined()
  })
})
