/** XEP-0092: Software Version. */
import { type } from 'node:os'
import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { world } from '../../test/support/world/world.ts'
import { version } from './index.ts'

const NS = 'jabber:iq:version'
const QUERY = `<query xmlns='${NS}'/>`

test('the server tells its name and version, and not what it runs on (§2, §5)', async () => {
  const { client } = await world(version)
  const romeo = await client('romeo@localhost/orchard')

  const answer = await romeo.asks('get', QUERY, 'localhost')

  expect(answer?.getChildText('name', NS)).toBe('Heliograph')
  expect(answer?.getChildText('version', NS)).toBe(packageJson.version)
  expect(answer?.getChildElements()).toHaveLength(2)
})

test('the server tells what it runs on where its administrator says so', async () => {
  const { client } = await world([version, { os: true }])
  const romeo = await client('romeo@localhost/orchard')

  const answer = await romeo.asks('get', QUERY, 'localhost')

  expect(answer?.getChildText('os', NS)).toBe(type())
})

test('the server does not speak for a user\'s software', async () => {
  const { client } = await world(version)
  const romeo = await client('romeo@localhost/orchard')

  await expect(romeo.asks('get', QUERY, 'romeo@localhost')).rejects.toThrow('service-unavailable')
})
