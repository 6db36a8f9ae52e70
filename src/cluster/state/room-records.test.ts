/** When records of rooms are written, and what becomes of those that could not be. */
import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { openLog } from '../../log.ts'
import type { WriteBarrier } from '../../net/write-barrier.ts'
import { RedisRoomRecords } from './room-records.ts'

const log = await openLog({ level: 'silent' })

/** One write, as Redis gets it: it answers when the test says so. */
interface Write {
  /** The sessions in it. */
  readonly sessions: readonly string[]
  succeeds (): void
  fails (): void
}

/** The records of a node that is a member, and what it writes. */
function records (settledState = () => Promise.resolve<'active'>('active')): { readonly rooms: RedisRoomRecords, readonly writes: readonly Write[] } {
  const writes: Write[] = []
  const pipeline = (): object => {
    const sessions: string[] = []
    const answer = Promise.withResolvers<[Error | null][]>()
    const batch = {
      sadd: () => batch,
      hset: (_key: string, fields: ReadonlyMap<string, string>) => {
        sessions.push(...fields.keys())
        return batch
      },
      exec: () => {
        writes.push({
          sessions,
          succeeds: () => {
            answer.resolve([])
          },
          fails: () => {
            answer.reject(new Error('Redis is away'))
          },
        })
        return answer.promise
      },
    }
    return batch
  }
  const rooms = new RedisRoomRecords({
    redis: { pipeline } as unknown as Redis, id: () => 'a', log,
    barrier: { beforeClientWrites () {} } as unknown as WriteBarrier, // the test flushes
    membership: { hasLease: true, evictions: 0, settledState },
  })
  return { rooms, writes }
}

/** What is known of a promise by now. */
function outcome (promise: Promise<boolean>): { readonly is: boolean | undefined } {
  const known: { is: boolean | undefined } = { is: undefined }
  void promise.then(is => { known.is = is })
  return known
}

test('clients hear of what could not be written when it is written, also together with what came later', async () => {
  const { rooms, writes } = records()
  rooms.put('room', 'first', 'record')
  const first = outcome(rooms.flush())
  writes[0]?.fails()
  await new Promise(resolve => { setImmediate(resolve) })

  rooms.put('room', 'second', 'record')
  const second = outcome(rooms.flush())
  await new Promise(resolve => { setTimeout(resolve, 100) }) // by now the first has been repeated
  const whileOnItsWay = [first.is, second.is]
  writes[1]?.succeeds()

  await expect.poll(() => [first.is, second.is]).toEqual([true, true])
  expect(whileOnItsWay).toEqual([undefined, undefined])
  expect(writes.map(({ sessions }) => sessions)).toEqual([['first'], ['first', 'second']])
})

test('what can\'t be written is written again, and whatever changed since with it', async () => {
  const { rooms, writes } = records()
  rooms.put('room', 'first', 'record')
  rooms.put('other', 'third', 'record')
  const flushed = outcome(rooms.flush())

  writes[0]?.fails()
  await expect.poll(() => writes).toHaveLength(2)
  writes[1]?.succeeds()

  await expect.poll(() => flushed.is).toBe(true)
  expect(writes[1]?.sessions).toEqual(['first', 'third'])
})

test('of a room that is no more here nothing is written again', async () => {
  const { rooms, writes } = records()
  rooms.put('room', 'first', 'record')
  rooms.put('other', 'second', 'record')
  const flushed = outcome(rooms.flush())

  rooms.forget('room')
  writes[0]?.fails()
  await expect.poll(() => writes).toHaveLength(2)
  writes[1]?.succeeds()

  await expect.poll(() => flushed.is).toBe(true)
  expect(writes[1]?.sessions).toEqual(['second'])
})

describe('a node that can\'t reach Redis, and does not know whether others can', () => {
  const unknown = (): Promise<never> => new Promise(() => {})

  test('stops all the same', async () => {
    const { rooms, writes } = records(unknown)
    rooms.put('room', 'first', 'record')
    void rooms.flush()
    writes[0]?.fails()
    await new Promise(resolve => { setImmediate(resolve) })

    const stopped = rooms.stop()
    await expect.poll(() => writes).toHaveLength(2)
    writes[1]?.fails()

    await expect(stopped).resolves.toBeUndefined()
  })

  test('keeps the rooms whose records it can\'t write', async () => {
    const { rooms, writes } = records(unknown)
    rooms.put('room', 'first', 'record')
    void rooms.flush()
    writes[0]?.fails()
    await new Promise(resolve => { setImmediate(resolve) })

    const saved = rooms.save('room')
    await expect.poll(() => writes).toHaveLength(2)
    writes[1]?.fails()

    await expect(saved).rejects.toThrow('Redis is away')
  })
})
