/** XEP-0202: Entity Time. */
import { expect, test } from 'vitest'
import { world } from '../../test/support/world/world.ts'
import { offset, time } from './index.ts'

const NS = 'urn:xmpp:time'

test('the server tells the time in UTC and its offset, as XEP-0082 writes them (§2)', async () => {
  const { client } = await world(time)
  const romeo = await client('romeo@localhost/orchard')

  const answer = await romeo.asks('get', `<time xmlns='${NS}'/>`, 'localhost')

  const utc = answer?.getChildText('utc', NS) ?? ''
  expect(utc).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
  expect(new Date(utc).getTime()).not.toBeNaN()
  expect(answer?.getChildText('tzo', NS)).toMatch(/^([+-]\d\d:\d\d|Z)$/)
})

test.each([[0, '+00:00'], [60, '+01:00'], [-360, '-06:00'], [345, '+05:45'], [-210, '-03:30']])(
  '%i minutes east of UTC are an offset of %s', (minutes, text) => {
    expect(offset(minutes)).toBe(text)
  })
