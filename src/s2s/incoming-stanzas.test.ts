/** Stanzas from another server's stream: whose are taken, what becomes of them, and when they count as handled. */
import { describe, expect, test } from 'vitest'
import { archive } from '../../extensions/archive/index.ts'
import { federated } from '../../test/support/world/federated.ts'
import type { Federated, FederatedOptions } from '../../test/support/world/federated.ts'
import type { ServerWire } from '../../test/support/wire/server-wire.ts'
import { RemoteServer } from '../../test/support/world/remote.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'

const SM = 'urn:xmpp:sm:3'

interface Scene {
  readonly here: World
  readonly server: Federated
  readonly juliet: Client
  readonly wire: ServerWire
}

/** Juliet is online, and remote.example has proven who it is. */
async function scene (before?: string, options?: FederatedOptions): Promise<Scene> {
  const here = await world(archive)
  const juliet = await here.client('juliet@localhost/balcony')
  await juliet.comesOnline()
  await juliet.received()
  const server = await federated(here, options)
  return { here, server, juliet, wire: await server.proves('remote.example', before) }
}

/** What came to Juliet by the time that the server has taken everything that was sent. */
async function heard ({ wire, juliet }: Scene): Promise<string> {
  wire.send(`<enable xmlns='${SM}'/>`)
  await wire.expectHeard(`<enabled xmlns='${SM}'/>`)
  return (await juliet.received()).join('')
}

describe('a stanza', () => {
  test('of a proven domain reaches its recipient, in the namespace of clients', async () => {
    const all = await scene()

    all.wire.send("<message from='romeo@remote.example/a' to='juliet@localhost' xmlns='jabber:server' type='chat'>" +
      "<body xmlns='jabber:server'>hi</body></message>")

    expect(await heard(all)).toMatch(/^<message from='romeo@remote.example\/a' to='juliet@localhost'.*<body>hi<\/body>/)
    expect([...all.server.streams]).toMatchObject([{ received: 1 }])
  })

  test('that is an error is not kept, though it asks to be: only what this server gives back is', async () => {
    const all = await scene()

    all.wire.send("<message from='romeo@remote.example' to='juliet@localhost/balcony' type='error'>"
      + "<body>late</body><store xmlns='urn:xmpp:hints'/></message>")

    expect(await heard(all)).toMatch(/<body>late<\/body><\/message>$/)
  })

  test.each([
    ['from another domain', { from: 'romeo@victim.example' }, 'invalid-from'],
    ['from a subdomain', { from: 'romeo@a.remote.example' }, 'invalid-from'],
    ['from an account here', { from: 'juliet@localhost' }, 'invalid-from'],
    ['to another domain that is served here', { to: 'a@conference.localhost' }, 'invalid-from'],
    ['to a domain that is not', { to: 'a@elsewhere.example' }, 'host-unknown'],
    ['without a sender', { from: '' }, 'improper-addressing'],
    ['without a recipient', { to: '' }, 'improper-addressing'],
  ])('%s ends the stream, and nothing of it arrives', async (_, addresses, condition) => {
    const { juliet, wire } = await scene()
    const { from, to } = { from: 'romeo@remote.example', to: 'juliet@localhost', ...addresses }

    wire.send(`<message from='${from}' to='${to}' type='chat'><body>forged</body></message>`)

    expect(await wire.untilClosed()).toContain(`<stream:error><${condition} `)
    expect(await juliet.received()).toEqual([])
  })

  test.each([
    ['an invalid address', "<message from='romeo@remote.example' to='ju liet@localhost' id='1'><body/></message>",
      /from='ju liet@localhost' to='romeo@remote.example' id='1' type='error'.*<jid-malformed /],
    ['no payload in a request', "<iq from='romeo@remote.example' to='localhost' id='1' type='get'/>",
      /from='localhost' to='romeo@remote.example' id='1' type='error'.*<bad-request /],
  ])('with %s costs that stanza, and its sender is told', async (_, xml, answer) => {
    const all = await scene()
    const remote = new RemoteServer(all.here, 'remote.example')

    all.wire.send(xml)

    expect(await heard(all)).toBe('')
    expect((await remote.received()).join('')).toMatch(answer)
  })

  test('from an invalid address costs that stanza', async () => {
    const all = await scene()

    all.wire.send("<message from='ro meo@remote.example' to='juliet@localhost' type='chat'><body>1</body></message>")
    all.wire.send("<message from='romeo@remote.example' to='juliet@localhost' type='chat'><body>2</body></message>")

    const text = await heard(all)
    expect(text).not.toContain('<body>1')
    expect(text).toContain('<body>2')
  })

  test('can not say what only this server may', async () => {
    const all = await scene()

    all.wire.send(`<message from='room@remote.example/romeo' to='juliet@localhost/balcony' type='chat'><body>hi</body>
      <stanza-id xmlns='urn:xmpp:sid:0' by='juliet@localhost' id='forged'/>
      <stanza-id xmlns='urn:xmpp:sid:0' by='room@remote.example' id='genuine'/>
      <delay xmlns='urn:xmpp:delay' from='localhost' stamp='2001-01-01T00:00:00Z'/>
      <delay xmlns='urn:xmpp:delay' from='remote.example' stamp='2002-02-02T00:00:00Z'/>
      <received xmlns='urn:xmpp:carbons:2'/></message>`)

    const text = await heard(all)
    expect(text).toContain("id='genuine'")
    expect(text).toContain('2002-02-02')
    expect(text).not.toContain("id='forged'")
    expect(text).not.toContain('2001-01-01')
    expect(text).not.toContain('<received')
  })

  test.each([
    ['origin-id', "<body>again</body><origin-id xmlns='urn:xmpp:sid:0' id='o'/>", ''],
    ['unique id', '<body>again</body>', "id='5e2a1c74-0d3f-4d5c'"],
  ])('that comes again with the same %s is delivered once', async (_, content, id) => {
    const all = await scene()
    const xml = `<message from='romeo@remote.example/a' to='juliet@localhost' type='chat' ${id}>${content}</message>`

    all.wire.send(xml + xml)

    expect((await heard(all)).match(/<body>/g)).toHaveLength(1)
  })

  test('with the same words under the same short id is another message, as clients that count begin anew', async () => {
    const all = await scene()
    const xml = "<message from='romeo@remote.example/a' to='juliet@localhost' type='chat' id='aaab5'><body>ok</body></message>"

    all.wire.send(xml + xml)

    expect((await heard(all)).match(/<body>/g)).toHaveLength(2)
  })

  test('with the same id and another content is another message', async () => {
    const all = await scene()
    const xml = (body: number): string => "<message from='romeo@remote.example/a' to='juliet@localhost' type='chat' " +
      `id='1'><body>${body}</body></message>`

    all.wire.send(xml(1) + xml(2))

    expect((await heard(all)).match(/<body>/g)).toHaveLength(2)
  })
})

describe('stream management', () => {
  test('is for servers that have proven who they are, and once', async () => {
    const { server, wire } = await scene()
    const unknown = await server.connects('remote.example')
    await unknown.secures(server.authority.issue({ hosts: ['remote.example'] }))
    await unknown.opens()

    unknown.send(`<enable xmlns='${SM}'/>`)
    wire.send(`<enable xmlns='${SM}' resume='true'/><enable xmlns='${SM}'/>`)

    await unknown.expectHeard('<unexpected-request ')
    await wire.expectHeard(`<enabled xmlns='${SM}'/>`)
    await wire.expectHeard('<unexpected-request ')
  })

  test('counts what came since it was enabled, when it is stored or refused', async () => {
    const { wire } = await scene()
    const message = (to: string): string => `<message from='a@remote.example' to='${to}@localhost'><body/></message>`

    wire.send(`${message('juliet')}<enable xmlns='${SM}'/>${message('juliet')}${message('nobody')}<r xmlns='${SM}'/>`)

    await wire.expectHeard(`<a xmlns='${SM}' h='2'/>`)
  })

  test('of what can not be stored the sender hears before it counts', async () => {
    const all = await scene()
    const remote = new RemoteServer(all.here, 'remote.example')
    all.wire.send(`<enable xmlns='${SM}'/>`)
    await all.wire.expectHeard('<enabled')
    all.here.databaseIs('away')

    all.wire.send("<message from='a@remote.example' to='juliet@localhost' type='chat' id='m'><body>x</body></message>" +
      `<r xmlns='${SM}'/>`)

    await all.wire.expectHeard(`<a xmlns='${SM}' h='1'/>`)
    expect(await remote.received()).toEqual([expect.stringMatching(/id='m' type='error'.*type='wait'/)])
  })

  test('a storm of presence is counted to the last, and the stream goes on', async () => {
    const { wire, juliet } = await scene()
    wire.send(`<enable xmlns='${SM}'/>`)
    await wire.expectHeard('<enabled')

    for (let n = 0; n < 5000; n++) wire.send(`<presence from='a${n}@remote.example/x' to='juliet@localhost'/>`)
    wire.send(`<r xmlns='${SM}'/>`)

    await wire.expectHeard(`<a xmlns='${SM}' h='5000'/>`)
    await juliet.received()
  })
})

describe('both directions', () => {
  test('a server that asks for them gets a link for each proven pair, which is lost with the stream', async () => {
    const { server, wire } = await scene("<bidi xmlns='urn:xmpp:bidi'/>")

    const link = server.streams.link('localhost', 'remote.example')

    expect(link).toMatchObject({ isOpen: true, provenBy: 'certificate', tls: 'TLSv1.3' })
    const lost = new Promise(resolve => { link?.whenLost(resolve) })
    wire.send('</stream:stream>')
    expect(await lost).toMatchObject({ kind: 'unreachable' })
    expect(server.streams.link('localhost', 'remote.example')).toBeUndefined()
  })

  test('a server that does not ask is not sent anything on its stream', async () => {
    const { server } = await scene()

    expect(server.streams.link('localhost', 'remote.example')).toBeUndefined()
  })

  test('what was sent is confirmed when the other server acknowledges it', async () => {
    const { server, wire, juliet } = await scene("<bidi xmlns='urn:xmpp:bidi'/>")
    wire.send(`<enable xmlns='${SM}'/>`)
    await wire.expectHeard('<enabled')
    const link = server.streams.link('localhost', 'remote.example')
    const { presence } = juliet.session

    if (presence) link?.send(presence)
    const confirmed = link?.confirm()
    await wire.expectHeard(`<r xmlns='${SM}'/>`)
    wire.send(`<a xmlns='${SM}' h='1'/>`)

    await expect(confirmed).resolves.toBeUndefined()
  })

  test('what was sent before the other server began to count is confirmed by a ping', async () => {
    const { server, wire, juliet } = await scene("<bidi xmlns='urn:xmpp:bidi'/>")
    const link = server.streams.link('localhost', 'remote.example')
    const { presence } = juliet.session
    if (presence) link?.send(presence)
    wire.send(`<enable xmlns='${SM}'/>`)
    await wire.expectHeard('<enabled')

    const confirmed = link?.confirm()
    const [, id] = /<iq[^>]* id='([^']*)'/.exec(await wire.expectHeard('<ping ')) ?? []
    wire.send(`<iq type='result' id='${id}' from='remote.example' to='localhost'/>`)

    await expect(confirmed).resolves.toBeUndefined()
  })

  test('a server that acknowledges more than it was sent is disconnected', async () => {
    const { wire } = await scene("<bidi xmlns='urn:xmpp:bidi'/>")

    wire.send(`<enable xmlns='${SM}'/><a xmlns='${SM}' h='7'/>`)

    expect(await wire.untilClosed()).toContain("<handled-count-too-high xmlns='urn:xmpp:sm:3' h='7' send-count='0'/>")
  })
})
