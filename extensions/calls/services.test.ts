/** XEP-0215: the services that clients are told of. */
import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { world } from '../../test/support/world/world.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { calls } from './index.ts'
import { credentialsFor, service } from './service.ts'

const NS = 'urn:xmpp:extdisco:2'
const SERVICES = [
  { uri: 'stun:stun.example.org' },
  { uri: 'turn:turn.example.org:3479?transport=tcp', secret: 'shared', ttl: 600 },
  { uri: 'turns:[2001:db8::1]', secret: 'shared' },
]
const ROMEO = 'romeo@localhost/orchard'

async function romeo (services: readonly object[] = SERVICES) {
  const { client } = await world([calls, calls.config?.parse({ services })])
  return client(ROMEO)
}

test('all of them are told, with credentials that end where there is a secret (§4.1)', async () => {
  const client = await romeo()

  const answer = await client.asks('get', `<services xmlns='${NS}'/>`, 'localhost')

  const [stun, turn, turns] = answer?.getChildren('service').map(({ attrs }) => attrs) ?? []
  expect(stun).toEqual({ type: 'stun', host: 'stun.example.org', port: '3478', transport: 'udp' })
  expect(turn).toMatchObject({
    type: 'turn', host: 'turn.example.org', port: '3479', transport: 'tcp', restricted: 'true',
  })
  expect(turns).toMatchObject({ type: 'turns', host: '2001:db8::1', port: '5349', transport: 'tcp' })
  const { username = '', password, expires = '' } = turn ?? {}
  expect(password).toBe(createHmac('sha1', 'shared').update(username).digest('base64'))
  expect(username.split(':')[0]).toBe(String(Date.parse(expires) / 1000))
  expect(username).not.toContain('romeo')
})

test('those of a type are told to who asks for it (§4.2)', async () => {
  const client = await romeo()

  const answer = await client.asks('get', `<services xmlns='${NS}' type='stun'/>`, 'localhost')

  expect(answer?.attrs['type']).toBe('stun')
  expect(answer?.getChildren('service').map(({ attrs }) => attrs['type'])).toEqual(['stun'])
})

describe('credentials (§4.3)', () => {
  test.each([
    ["host='turn.example.org' type='turn'", 'turn.example.org'],
    ["host='TURN.example.org' type='turn' port='3479'", 'turn.example.org'],
    ["host='2001:db8::1' type='turns'", '2001:db8::1'],
  ])('are given for %s', async (attributes, host) => {
    const client = await romeo()

    const answer = await client.asks('get', `<credentials xmlns='${NS}'><service ${attributes}/></credentials>`, 'localhost')

    const [found] = answer?.getChildren('service').map(({ attrs }) => attrs) ?? []
    expect(found).toMatchObject({ host, restricted: 'true' })
    expect(found?.['password']).toMatch(/^\S{20,}$/)
  })

  test.each([
    ["<service host='turn.example.org' type='turn' port='1'/>", 'item-not-found'],
    ["<service host='stun.example.org' type='stun'/>", 'item-not-found'],
    ["<service host='turn.example.org'/>", 'bad-request'],
    ['', 'bad-request'],
  ])('are not given for %s', async (wanted, condition) => {
    const client = await romeo()

    const asked = client.asks('get', `<credentials xmlns='${NS}'>${wanted}</credentials>`, 'localhost')

    await expect(asked).rejects.toThrow(condition)
  })

  test('of one account have one name for as long as they last, and another than others\'', () => {
    const [first, second, other] = ['romeo@localhost/a', 'romeo@localhost/b', 'juliet@localhost/a'].map(jid =>
      credentialsFor('shared', 600, Jid.parse(jid), 1_000_000).username)

    expect(first).toBe(second)
    expect(first).not.toBe(other)
    expect(first).toMatch(/^1600:/)
  })
})

test('a server without any does not answer, and does not announce them', async () => {
  const client = await romeo([])

  await expect(client.asks('get', `<services xmlns='${NS}'/>`, 'localhost')).rejects.toThrow('service-unavailable')
  const info = await client.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", 'localhost')
  expect(String(info)).not.toContain(NS)
})

test.each([
  'turn.example.org', 'http://turn.example.org', 'turn:', 'turn:a:0', 'turn:a:70000', 'turn:a?transport=sctp', 'turn:a b',
])('%s in the config is a mistake', uri => {
  expect(service.safeParse({ uri }).error?.issues[0]?.message).toContain('expected stun:')
})
