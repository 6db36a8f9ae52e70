/** Who may come in, and how, as the configuration says: TLS, new accounts (XEP-0077), anonymous users, resources. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { auth, NS_SASL, NS_TLS, PASSWORD, Peer, type Address } from '../hostile/peer.ts'
import type { XmlElement } from '../../conformance/runner/xml.ts'
import { Installation } from './installation.ts'

const NS_REGISTER = 'jabber:iq:register'
const NS_REGISTER_FEATURE = 'http://jabber.org/features/iq-register'
const NS_BIND = 'urn:ietf:params:xml:ns:xmpp-bind'
const PER_ADDRESS = 3

let home: Installation
let peers: Peer[] = []

afterEach(() => { for (const peer of peers.splice(0)) peer.destroy() })

async function open (address: Address): Promise<{ readonly peer: Peer, readonly features: XmlElement }> {
  const peer = await Peer.connect(address)
  peers.push(peer)
  return { peer, features: await peer.open() }
}

async function logIn (local: string, resource: string, isNew = true): Promise<Peer> {
  const peer = await Peer.logIn(home.direct, `${local}/${resource}`, isNew)
  peers.push(peer)
  return peer
}

describe('where the configuration says nothing', () => {
  beforeAll(async () => {
    home = await Installation.make()
    await home.start()
    expect(await home.run(`user add romeo@localhost --password ${PASSWORD}`)).toMatchObject({ code: 0 })
  }, 60_000)
  afterAll(() => home.remove())

  test('nothing but STARTTLS is offered to who comes without TLS, and it is required', async () => {
    const { features } = await open({ port: home.port })

    const startTls = features.children.find(({ name, ns }) => name === 'starttls' && ns === NS_TLS)
    expect(startTls?.children.map(({ name }) => name)).toEqual(['required'])
    expect(features.children.filter(({ name }) => /mechanism|authentication|register/.test(name))).toEqual([])
  })

  test.each(['PLAIN', 'SCRAM-SHA-1'])('a login by %s without TLS is refused', async mechanism => {
    const { peer } = await open({ port: home.port })

    void peer.send(auth(mechanism, mechanism === 'PLAIN' ? `\0romeo\0${PASSWORD}` : 'n,,n=romeo,r=nonce'))

    expect(conditions(await peer.expect('failure'))).toEqual(['encryption-required'])
  })

  test.each([
    ['after STARTTLS', async () => {
      const { peer } = await open({ port: home.port })
      await peer.startTls()
      return { peer, features: await peer.open() }
    }],
    ['on a port that is TLS at once', () => open(home.direct)],
  ])('%s logins are offered, and PLAIN is one', async (_, arrive) => {
    const { peer, features } = await arrive()

    expect(mechanisms(features)).toContain('PLAIN')
    expect(features.children.filter(({ ns }) => ns === NS_TLS)).toEqual([])
    void peer.send(auth('PLAIN', `\0romeo\0${PASSWORD}`))
    await peer.expect('success')
  })

  test('nobody makes accounts but the administrator', async () => {
    const { peer, features } = await open(home.direct)

    expect(features.children.filter(({ ns }) => ns === NS_REGISTER_FEATURE)).toEqual([])
    for (const type of ['get', 'set'] as const) {
      expect(conditions(await register(peer, 'mallory', type))).toEqual(['cancel', 'service-unavailable'])
    }
    await expect(peer.prove('mallory')).rejects.toThrow('not-authorized')
  })

  test('nobody comes in without a name', async () => {
    const { peer, features } = await open(home.direct)

    expect(mechanisms(features)).not.toContain('ANONYMOUS')
    void peer.send(auth('ANONYMOUS', ''))
    expect(conditions(await peer.expect('failure'))).toEqual(['invalid-mechanism'])
  })

  test('a resource that is in use goes to who asks for it', async () => {
    const before = await logIn('romeo', 'orchard', false)

    const after = await logIn('romeo', 'orchard', false)

    expect(await before.streamError()).toBe('conflict')
    await after.expectPong()
  })
})

describe('where it opens the door', () => {
  beforeAll(async () => {
    home = await Installation.make({
      registration: { 'open': true, 'per-address': PER_ADDRESS },
      auth: { 'anonymous': true, 'resource-conflict': 'refuse' },
    })
    await home.start()
  }, 60_000)
  afterAll(() => home.remove())

  test('anybody may register, but only so often from one address', async () => {
    const { peer, features } = await open({ ...home.direct, from: '127.0.1.1' })
    expect(features.children.filter(({ ns }) => ns === NS_REGISTER_FEATURE)).toHaveLength(1)

    const answers: string[][] = []
    for (let number = 0; number <= PER_ADDRESS; number++) {
      answers.push(conditions(await register(peer, `new-${number}`, 'set')))
    }

    expect(answers.slice(0, PER_ADDRESS).flat()).toEqual([])
    expect(answers[PER_ADDRESS]).toEqual(['wait', 'resource-constraint'])
    await peer.prove('new-0')
    const { peer: elsewhere } = await open({ ...home.direct, from: '127.0.1.2' })
    await elsewhere.register('from-elsewhere')
  })

  test('an account is made over TLS only', async () => {
    const { peer, features } = await open({ port: home.port, from: '127.0.2.1' })

    expect(features.children.filter(({ ns }) => ns === NS_REGISTER_FEATURE)).toEqual([])
    void peer.send(request('early', 'set'))
    expect(await peer.streamError()).toBe('not-authorized')
  })

  test('who has no name gets one that lasts as long as the stream', async () => {
    const romeo = await logIn('romeo', 'orchard')
    const { peer, features } = await open(home.direct)
    expect(mechanisms(features)).toContain('ANONYMOUS')

    void peer.send(auth('ANONYMOUS', 'guest'))
    await peer.expect('success')
    await peer.open()
    void peer.send(`<iq type='set' id='bind'><bind xmlns='${NS_BIND}'/></iq>`)
    const own = (await peer.expect('iq', 'result')).children[0]?.children[0]?.text ?? ''
    void peer.send("<message to='romeo@localhost/orchard'><body>guess who</body></message>")
    void romeo.send(`<message to='${own}'><body>who?</body></message>`)

    expect(own).toMatch(/^[^@]+@localhost\/.+$/)
    expect((await romeo.expect('message')).attributes.get('from')).toBe(own)
    expect((await peer.expect('message')).children[0]?.text).toBe('who?')
    peer.end('</stream:stream>')
    await peer.expectClosed()
    void romeo.send(`<message to='${own}'><body>still there?</body></message>`)
    expect(conditions(await romeo.expect('message', 'error'))).toContain('service-unavailable')
    expect((await home.run('user list')).out).not.toContain(own.split('/')[0])
  })

  test('a resource that is in use stays where it is, and another can be had', async () => {
    const before = await logIn('juliet', 'balcony')
    const { peer } = await open(home.direct)
    await peer.authenticate('juliet')

    await expect(peer.bind('balcony')).rejects.toThrow('conflict')
    await peer.bind('garden')

    await before.expectPong()
    await peer.expectPong()
  })
})

function request (local: string, type: 'get' | 'set'): string {
  const account = type === 'get' ? '' : `<username>${local}</username><password>${PASSWORD}</password>`
  return `<iq type='${type}' id='${local}'><query xmlns='${NS_REGISTER}'>${account}</query></iq>`
}

async function register (peer: Peer, local: string, type: 'get' | 'set'): Promise<XmlElement> {
  void peer.send(request(local, type))
  return await peer.expect('iq')
}

function mechanisms (features: XmlElement): readonly string[] {
  const offer = features.children.find(({ name, ns }) => name === 'mechanisms' && ns === NS_SASL)
  return offer?.children.map(({ text }) => text) ?? []
}

/** A stanza error's type and condition, or a failure's condition; nothing for what succeeded. */
function conditions (element: XmlElement): string[] {
  if (element.name === 'failure') return element.children.map(({ name }) => name).filter(name => name !== 'text')
  const error = element.children.find(({ name }) => name === 'error')
  return error ? [error.attributes.get('type') ?? '', error.children[0]?.name ?? ''] : []
}
