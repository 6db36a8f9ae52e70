import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { online } from '../../test/support/world/online.ts'
import { events, request, SERVICE, subscribes } from '../../test/support/world/nodes.ts'
import { world } from '../../test/support/world/world.ts'
import { serverInfo } from './index.ts'

const INFO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
const SECONDS = 1
const HOUR_MS = 3_600_000

beforeEach(() => { vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] }) })
afterEach(() => { vi.useRealTimers() })

async function romeoAndServer () {
  const server = await world([serverInfo, { 'interval-seconds': SECONDS }])
  return { server, romeo: await online(server, 'romeo@localhost/orchard') }
}

test('the server says that it publishes, and where', async () => {
  const { server, romeo } = await romeoAndServer()
  server.core.disco.addServerFields(() => [{ name: 'abuse-addresses', values: ['mailto:abuse@localhost'] }])

  const info = await romeo.asks('get', INFO, 'localhost')

  expect(String(info)).toContain("<feature var='urn:xmpp:serverinfo:0'/>")
  const forms = info?.getChildren('x', 'jabber:x:data') ?? []
  expect(forms.map(form => form.getChildren('field', 'jabber:x:data').map(field =>
    [field.attrs['var'], field.getChildText('value', 'jabber:x:data')]))).toEqual([[
    ['FORM_TYPE', 'http://jabber.org/network/serverinfo'],
    ['serverinfo-pubsub-node', `xmpp:${SERVICE}?;node=serverinfo`],
    ['abuse-addresses', 'mailto:abuse@localhost'],
  ]])
})

test('who asks for the node reads the only item there is from the start', async () => {
  const { romeo } = await romeoAndServer()

  const answer = await romeo.asks('get', request("<items node='serverinfo'/>"), SERVICE)

  const [item, ...others] = answer?.getChild('items')?.getChildElements() ?? []
  expect(others).toEqual([])
  expect(item?.attrs['id']).toBe('current')
  expect(String(item?.getChild('serverinfo', 'urn:xmpp:serverinfo:0')))
    .toContain("<domain name='localhost'><federation/></domain>")
})

test.each([
  ['publishes there', "<publish node='serverinfo'><item id='current'><x xmlns='urn:x'/></item></publish>", 'forbidden'],
  ['creates the node', "<create node='serverinfo'/>", 'conflict'],
])('nobody but the server %s', async (_what, payload, error) => {
  const { romeo } = await romeoAndServer()

  await expect(romeo.asks('set', request(payload), SERVICE)).rejects.toThrow(error)
})

test('what has not changed is not published again before a day is over', async () => {
  const { server, romeo } = await romeoAndServer()
  expect(await subscribes(romeo, 'serverinfo')).toBe('subscribed')
  await events(romeo)

  vi.advanceTimersByTime(3 * SECONDS * 1000)
  await server.idle()
  const soon = await events(romeo)
  vi.setSystemTime(Date.now() + 25 * HOUR_MS)
  vi.advanceTimersByTime(SECONDS * 1000)
  await server.idle()

  expect(soon).toEqual([])
  expect(await events(romeo)).toEqual([expect.stringMatching(/^serverinfo current: /)])
})
