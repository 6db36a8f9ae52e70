import { expect, test } from 'vitest'
import { Jid } from '../xmpp/jid.ts'
import { iq, result } from '../xmpp/stanza.ts'
import type { Iq, Stanza } from '../xmpp/stanza.ts'
import { PendingPings } from './pings.ts'
import type { PingAnswer } from './pings.ts'

interface Pinged { readonly confirmed: Promise<void>, readonly request: Iq }

function ping (pings: PendingPings): Pinged {
  const sent: Stanza[] = []
  const confirmed = pings.ping('us.test', 'them.test', stanza => { sent.push(stanza) })
  return { confirmed, request: sent[0] as Iq }
}

test('a ping is answered by its result', async () => {
  const pings = new PendingPings()
  const { confirmed, request } = ping(pings)

  const isTaken = pings.take(result(request))

  expect(isTaken).toBe(true)
  await expect(confirmed).resolves.toBeUndefined()
  expect(request.toXml()).toMatch(/<iq .*type='get'.*<ping xmlns='urn:xmpp:ping'\/>/)
})

test.each([
  ['another id', { id: 'x' }], ['another server', { from: Jid.parse('evil.test') }],
  ['somebody at the server', { from: Jid.parse('a@them.test') }], ['another host', { to: Jid.parse('other.test') }],
])('a ping is not answered by what has %s', (_, change) => {
  const pings = new PendingPings()
  const { request } = ping(pings)
  const { from, to, id } = request

  const isTaken = pings.take(iq('result', { from: to, to: from, id, ...change }))

  expect(isTaken).toBe(false)
})

test('a ping is answered once', () => {
  const pings = new PendingPings()
  const { request } = ping(pings)

  const taken = [pings.take(result(request)), pings.take(result(request))]

  expect(taken).toEqual([true, false])
})

test('a request is no answer', () => {
  const pings = new PendingPings()
  const { id } = ping(pings).request

  const isTaken = pings.take(iq('get', { from: Jid.parse('them.test'), to: Jid.parse('us.test'), id }))

  expect(isTaken).toBe(false)
})

test('an answer that comes to another node is told to that of the ping', async () => {
  const told: (PingAnswer & { readonly node: string })[] = []
  const node = (name: string): PendingPings =>
    new PendingPings({ name, tell: (node, answer) => told.push({ node, ...answer }) > 0 })
  const [first, second] = [node('node.1'), node('node.2')]
  const { confirmed, request } = ping(first)

  const isTaken = second.take(result(request))
  const isAnswered = told.map(({ node, ...answer }) => node === 'node.1' && first.answered(answer))

  expect([isTaken, isAnswered]).toEqual([true, [true]])
  await expect(confirmed).resolves.toBeUndefined()
})

test('an answer that names a node that is not there is to no ping', () => {
  const pings = new PendingPings({ name: 'node.1', tell: () => false })

  const isTaken = pings.take(iq('result', { from: Jid.parse('them.test'), to: Jid.parse('us.test'), id: 'node.9.x' }))

  expect(isTaken).toBe(false)
})
