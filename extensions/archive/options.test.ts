/** What an administrator sets of archives, host by host. */
import { expect, test } from 'vitest'
import { retentionOf, roomRetentionOf, schema, searchable } from './options.ts'

const HOSTS = ['a.org', 'b.org', 'c.org']

test('archives keep everything, and are not searched, unless somebody says so', () => {
  const options = schema.parse(undefined)

  expect([...retentionOf(HOSTS, options).values()]).toEqual(['forever', 'forever', 'forever'])
  expect(searchable(HOSTS, options)).toEqual([])
})

test('what is said of one host holds there, and what is not said is as for all', () => {
  const options = schema.parse({
    retention: '1 day', search: true,
    hosts: { 'B.org': { retention: 'until-delivered' }, 'c.org': { retention: '30 days', search: false } },
  })

  expect([...retentionOf(HOSTS, options)]).toEqual([['a.org', { days: 1 }], ['b.org', 'until-delivered'], ['c.org', {
    days: 30,
  }]])
  expect(searchable(HOSTS, options)).toEqual(['a.org', 'b.org'])
})

test('rooms have what is said of them', () => {
  const options = schema.parse({ retention: '1 day', rooms: '30 days', hosts: { 'b.org': { rooms: 'forever' } } })

  expect(roomRetentionOf(HOSTS, options)).toEqual([{ days: 30 }, 'forever', { days: 30 }])
  expect(roomRetentionOf(HOSTS, schema.parse({ retention: '1 day' }))).toEqual(Array(3).fill('forever'))
})

test.each([
  [{ rooms: 'until-delivered' }, "expected forever or a number of days, as in '30 days'"],
  [
    { hosts: { 'a.org': { retention: '5 weeks' } } },
    "expected forever, until-delivered or a number of days, as in '30 days'",
  ],
  [{ hosts: { 'no host': {} } }, 'expected a domain name, like example.org'],
  [{ hosts: { 'romeo@a.org': {} } }, 'expected a domain name, like example.org'],
  [{ retention: '0 days' }, "expected forever, until-delivered or a number of days, as in '30 days'"],
])('%j is a mistake', (options, expected) => {
  expect(JSON.stringify(schema.safeParse(options).error?.issues)).toContain(expected)
})
