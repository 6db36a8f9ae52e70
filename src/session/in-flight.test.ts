/** What counts as handled, and when. */
import { beforeEach, expect, test } from 'vitest'
import { el } from '../xml/element.ts'
import { Jid } from '../xmpp/jid.ts'
import { message } from '../xmpp/stanza.ts'
import { InFlight } from './in-flight.ts'

const ROMEO = Jid.parse('romeo@localhost/orchard')
const [ONE, TWO] = ['one', 'two'].map(id => message('chat', { from: ROMEO, id }))

let count: number
let inFlight: InFlight

beforeEach(() => {
  count = 0
  inFlight = new InFlight(() => { count++ })
})

test('stanzas count in the order they came', async () => {
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  inFlight.track(first.promise)
  inFlight.track(second.promise)
  inFlight.track(undefined)

  second.resolve()
  await second.promise
  expect([count, inFlight.size]).toEqual([0, 3])
  first.resolve()
  await inFlight.settled()

  expect([count, inFlight.size]).toEqual([3, 0])
})

test('each of those that wait for the same counts', async () => {
  const commit = Promise.withResolvers<void>()
  for (let n = 0; n < 5; n++) inFlight.track(commit.promise)
  expect([count, inFlight.size]).toEqual([0, 5])

  commit.resolve()
  await inFlight.settled()

  expect(count).toBe(5)
})

test('each of those that fail is told of before it counts', async () => {
  const commit = Promise.withResolvers<void>()
  const told: unknown[] = []
  const failed = (error: unknown, stanza: unknown): void => { told.push([error, stanza, count]) }
  inFlight.track(commit.promise, ONE, failed)
  inFlight.track(commit.promise, TWO, failed)

  commit.reject('no room')
  await inFlight.settled()

  expect(told).toEqual([['no room', ONE, 0], ['no room', TWO, 0]])
  expect(count).toBe(2)
})

test('with so many on their way there is no room until some are handled', async () => {
  const commit = Promise.withResolvers<void>()
  for (let n = 0; n < 63; n++) inFlight.track(commit.promise)
  expect(inFlight.room()).toBeUndefined()
  inFlight.track(commit.promise)
  const room = inFlight.room()
  expect(room).toBeInstanceOf(Promise)

  commit.resolve()
  await room

  expect(inFlight.room()).toBeUndefined()
})

test('with so many bytes on their way there is no room until some are handled', async () => {
  const commit = Promise.withResolvers<void>()
  const large = message('chat', { from: ROMEO }, el('body', undefined, {}, 'b'.repeat(600_000)))
  inFlight.track(commit.promise, large)
  const before = inFlight.room()
  inFlight.track(commit.promise, large)

  const after = inFlight.room()
  commit.resolve()
  await after

  expect(before).toBeUndefined()
  expect(after).toBeInstanceOf(Promise)
  expect(inFlight.room()).toBeUndefined()
})
