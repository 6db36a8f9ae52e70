/** Requests that the server makes, and their answers. */
import { expect, test } from 'vitest'
import { el } from '../xml/element.ts'
import { Jid } from '../xmpp/jid.ts'
import { iq, result } from '../xmpp/stanza.ts'
import type { Iq } from '../xmpp/stanza.ts'
import { ServerRequests } from './server-requests.ts'

const [US, THEM] = ['us.test', 'them.test'].map(domain => Jid.parse(domain))
const REQUEST = iq('get', { from: US, to: THEM }, el('query', 'urn:x'))

interface Asked { readonly answer: Promise<Iq>, readonly request: Iq }

function ask (requests: ServerRequests): Asked {
  const sent: Iq[] = []
  const answer = requests.askOn(request => { sent.push(request) }, REQUEST)
  const [request] = sent
  if (!request) throw new Error('nothing was sent')
  return { answer, request }
}

function requests (): ServerRequests {
  return new ServerRequests(() => {})
}

test('a request is answered by its result', async () => {
  const asking = requests()
  const { answer, request } = ask(asking)

  const isTaken = asking.take(result(request))

  expect(isTaken).toBe(true)
  expect((await answer).type).toBe('result')
})

test.each([
  ['another id', { id: 'x' }], ['another server', { from: Jid.parse('evil.test') }],
  ['somebody at the server', { from: Jid.parse('a@them.test') }], ['another host', { to: Jid.parse('other.test') }],
])('a request is not answered by what has %s', (_, change) => {
  const asking = requests()
  const { from, to, id } = ask(asking).request

  const isTaken = asking.take(iq('result', { from: to, to: from, id, ...change }))

  expect(isTaken).toBe(false)
})

test('a request is answered once, and by no request', () => {
  const asking = requests()
  const { request } = ask(asking)

  const taken = [
    asking.take(iq('get', { from: THEM, to: US, id: request.id })), asking.take(result(request)),
    asking.take(result(request)),
  ]

  expect(taken).toEqual([false, true, false])
})

test('an answer that comes to another node is told to that which has asked', async () => {
  const [first, second] = [requests(), requests()]
  const nodes = new Map([['node.1', first], ['node.2', second]])
  for (const [id, node] of nodes) {
    node.node = { id, tell: (other, answer) => nodes.get(other)?.take(answer) ?? false }
  }
  const { answer, request } = ask(first)

  const isTaken = second.take(result(request))

  expect(isTaken).toBe(true)
  expect((await answer).type).toBe('result')
})

test('an answer that names a node that is not there is left to others', () => {
  const asking = requests()
  asking.node = { id: 'node.1', tell: () => false }

  const isTaken = asking.take(iq('result', { from: THEM, to: US, id: 'node.9.x' }))

  expect(isTaken).toBe(false)
})

test('as many as may wait are sent, and the next is refused', async () => {
  const sent: Iq[] = []
  const asking = new ServerRequests(request => { sent.push(request as Iq) })
  for (let count = 0; count < 20_000; count++) void asking.ask(REQUEST)

  const refused = await asking.ask(REQUEST)

  expect(refused.toXml()).toContain('<resource-constraint ')
  expect(sent).toHaveLength(20_000)
})
