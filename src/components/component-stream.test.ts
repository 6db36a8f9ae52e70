/** Components over real sockets: who is let in, and what their stanzas may be (XEP-0114). */
import { afterEach, expect, test } from 'vitest'
import { ScriptedComponent } from '../../test/support/components/scripted-component.ts'
import { world } from '../../test/support/world/world.ts'
import type { World } from '../../test/support/world/world.ts'
import { openLog } from '../log.ts'
import { listen } from '../net/listener.ts'
import { WriteBarrier } from '../net/write-barrier.ts'
import type { Link } from '../s2s/link.ts'
import { message } from '../xmpp/stanza.ts'
import { Jid } from '../xmpp/jid.ts'
import { el } from '../xml/element.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import { ComponentStream } from './component-stream.ts'
import { Connections } from './connections.ts'
import type { ComponentSettings } from './settings.ts'

const log = await openLog({ level: 'silent' })
const SETTINGS: ComponentSettings = {
  secret: 'secret', delegate: [], connections: 'one',
  privileges: { roster: 'none', rosterPush: true, message: 'none', presence: 'none', iq: {} },
}
const GATEWAY = 'gateway.localhost'
const SHARED = 'shared.localhost'
const COMPONENTS = { [GATEWAY]: SETTINGS, [SHARED]: { ...SETTINGS, connections: 'many' } } as const

const closing: (() => void)[] = []
afterEach(() => { for (const close of closing.splice(0)) close() })

interface Served { readonly world: World, readonly port: number, readonly connections: Connections }

/** A server that hands what is for components to them, without a queue. */
async function serve (pingMs?: number): Promise<Served> {
  const server = await world()
  const { router } = server.core
  const connections = new Connections(COMPONENTS, log)
  const links = new Map<string, Promise<Link>>()
  for (const domain of Object.keys(COMPONENTS)) {
    const receive = async (stanza: Parameters<Link['send']>[0]): Promise<void> => {
      const link = links.get(domain) ?? connections.open('localhost', domain)
      links.set(domain, link)
      ;(await link).send(stanza)
    }
    router.serve(domain, { receive, receiveHere: async stanza => receive(stanza).then(() => true) })
  }
  const listener = await listen(['127.0.0.1:0'], { key: 'x', log, barrier: new WriteBarrier(log) }, transport => {
    ComponentStream.accept(transport, {
      components: COMPONENTS, hosts: ['localhost'], log, router, pingMs, stanzaBytes: 100_000,
      now: () => performance.now(), closed () {},
      connected: stream => { connections.add(stream) },
      disconnected: (stream, reason) => { connections.remove(stream, reason) },
      answersPings: domain => connections.answersPings(domain),
      answered: domain => { connections.answered(domain) },
    })
  })
  closing.push(() => { listener.close() })
  return { world: server, port: listener.addresses[0]?.port ?? 0, connections }
}

function note (from: string, to: string, body: string) {
  return message('chat', { from: Jid.parse(from), to: Jid.parse(to), id: body }, el('body', NS_CLIENT, {}, body))
}

test('a component that knows its secret is let in, and its users talk with accounts', async () => {
  const { world, port } = await serve()
  const romeo = await world.client('romeo@localhost/orchard')
  await romeo.comesOnline()

  const component = await ScriptedComponent.connects(port, GATEWAY)
  component.says(`<message from='nurse@${GATEWAY}/phone' to='romeo@localhost' type='chat' id='1'><body>Sir!</body></message>`)
  await expect.poll(async () => (await romeo.received()).join('')).toContain('<body>Sir!</body>')
  await romeo.says(`nurse@${GATEWAY}`, 'Speak')

  await component.expectHeard(/<message from='romeo@localhost\/orchard' to='nurse@gateway.localhost'[^>]*><body>Speak<\/body>/)
})

test('its header is answered without a version, since no features follow', async () => {
  const { port } = await serve()

  const component = await ScriptedComponent.opens(port, GATEWAY)

  expect(component.heard).toMatch(
    /<stream:stream xmlns='jabber:component:accept' xmlns:stream='[^']*' id='[^']+' from='gateway.localhost'>$/)
})

test.each([
  ['other.localhost', 'jabber:component:accept', 'host-unknown'],
  ['localhost', 'jabber:component:accept', 'host-unknown'],
  ['sub.gateway.localhost', 'jabber:component:accept', 'host-unknown'],
  [GATEWAY, 'jabber:server', 'invalid-namespace'],
])('a stream to %s of %s is refused', async (domain, ns, condition) => {
  const { port } = await serve()

  const component = await ScriptedComponent.opens(port, domain, ns)

  await component.expectHeard(`<${condition} `)
  await component.expectClosed()
})

test.each([
  '<handshake>nonsense</handshake>', '<handshake/>', `<message from='${GATEWAY}' to='localhost'/>`,
])('who does not know the secret is refused: %s', async xml => {
  const { port, connections } = await serve()

  const component = await ScriptedComponent.opens(port, GATEWAY)
  component.says(xml)

  await component.expectHeard('<not-authorized ')
  await component.expectClosed()
  expect(connections.isConnected(GATEWAY)).toBe(false)
})

test.each(['romeo@localhost', 'sub.gateway.localhost', 'localhost', 'no one@gateway.localhost/'])(
  'a component that speaks as %s is disconnected', async from => {
    const { port } = await serve()
    const component = await ScriptedComponent.connects(port, GATEWAY)

    component.says(`<message from='${from}' to='romeo@localhost'><body>x</body></message>`)

    await component.expectHeard('<invalid-from ')
    await component.expectClosed()
  })

test('a stanza to nobody costs that stanza, and one to an address that is none is answered from there', async () => {
  const { port } = await serve()
  const component = await ScriptedComponent.connects(port, GATEWAY)

  component.says(`<message from='${GATEWAY}' id='1'><body>x</body></message>`)
  component.says(`<iq from='${GATEWAY}' id='2' to='no one@localhost' type='get'><ping xmlns='urn:xmpp:ping'/></iq>`)
  component.says(`<iq id='3' to='localhost' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`)

  await component.expectHeard(/id='1' type='error'><error type='modify'><bad-request /)
  await component.expectHeard(/id='2' type='error'><error type='modify'><jid-malformed /)
  await component.expectHeard(/<iq from='localhost' to='gateway.localhost' id='3' type='result'>/)
})

test('a second connection replaces the first, which is told so', async () => {
  const { port, connections } = await serve()
  const first = await ScriptedComponent.connects(port, GATEWAY)

  const second = await ScriptedComponent.connects(port, GATEWAY)

  await first.expectHeard('<conflict ')
  await first.expectClosed()
  expect(connections.isConnected(GATEWAY)).toBe(true)
  ;(await connections.open('localhost', GATEWAY)).send(note('romeo@localhost', GATEWAY, 'hi'))
  await second.expectHeard('<body>hi</body>')
})

test.each(['result', 'error'] as const)('the answer to a ping (%s) says that what was sent is read', async answer => {
  const { port, connections } = await serve()
  const component = await ScriptedComponent.connects(port, GATEWAY)
  component.pings = 'none'
  const link = await connections.open('localhost', GATEWAY)
  let isConfirmed = false

  link.send(note('romeo@localhost', GATEWAY, 'one'))
  const first = link.confirm().then(() => { isConfirmed = true }, () => {})
  await component.expectHeard('<body>one</body>')
  expect(isConfirmed).toBe(false)
  component.pings = answer
  link.send(note('romeo@localhost', GATEWAY, 'two'))
  await link.confirm()
  await first

  expect(component.heard).toContain('<body>two</body>')
})

test('a component that has never answered a ping is believed to have read what was written', async () => {
  const { port, connections } = await serve(50)
  const component = await ScriptedComponent.connects(port, GATEWAY)
  component.pings = 'none'
  const link = await connections.open('localhost', GATEWAY)

  link.send(note('romeo@localhost', GATEWAY, 'one'))
  await link.confirm()
  await link.confirm()

  expect(link.isOpen).toBe(true)
})

test('a component that has answered pings and does so no more is disconnected', async () => {
  const { port, connections } = await serve(50)
  const component = await ScriptedComponent.connects(port, GATEWAY)
  const link = await connections.open('localhost', GATEWAY)
  await link.confirm()
  const lost = new Promise(resolve => { link.whenLost(resolve) })

  component.pings = 'none'
  link.send(note('romeo@localhost', GATEWAY, 'one'))

  await expect(link.confirm()).rejects.toThrow()
  expect(await lost).toMatchObject({ kind: 'unreachable' })
  await component.expectHeard('<connection-timeout ')
})

test('several connections share the work, and what one address sends to another comes through one of them, in order', async () => {
  const { port, connections } = await serve()
  const link = async (): Promise<Link> => connections.open('localhost', SHARED)
  const first = await ScriptedComponent.connects(port, SHARED)
  const shared = await link()
  shared.send(note('u0@localhost', SHARED, 'before'))
  const second = await ScriptedComponent.connects(port, SHARED)

  await shared.drained()
  for (let n = 0; n < 200; n++) shared.send(note(`u${n % 20}@localhost`, SHARED, `n${n}`))
  await shared.confirm()

  expect(first.isClosed).toBe(false)
  const heard = [first.heard, second.heard].map(text => [...text.matchAll(/from='(u\d+)@localhost'[^>]*id='n(\d+)'/g)])
  expect(heard.flat()).toHaveLength(200)
  for (const part of heard) {
    expect(part.length).toBeGreaterThan(0)
    const numbers = part.map(([, , n]) => Number(n))
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  }
  const senders = heard.map(part => new Set(part.map(([, sender]) => sender)))
  expect([...senders[0] ?? []].filter(sender => senders[1]?.has(sender))).toEqual([])
})

test('when one of several is gone what it may not have read must be sent again, to the others', async () => {
  const { port, connections } = await serve()
  const first = await ScriptedComponent.connects(port, SHARED)
  const second = await ScriptedComponent.connects(port, SHARED)
  const link = await connections.open('localhost', SHARED)
  const lost = new Promise(resolve => { link.whenLost(resolve) })

  first.cuts()

  expect(await lost).toMatchObject({ kind: 'unreachable' })
  const next = await connections.open('localhost', SHARED)
  next.send(note('romeo@localhost', SHARED, 'again'))
  await second.expectHeard('<body>again</body>')
})

test('there is no link while the component is not connected', async () => {
  const { connections } = await serve()

  await expect(connections.open('localhost', GATEWAY)).rejects.toMatchObject({ kind: 'unreachable' })
})
