/** The way in under attack: TLS, SASL and binding (RFC 6120 §5 to §7, §13.9), in the wrong order or broken off. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { EVERYTHING, Innocents } from './innocents.ts'
import { auth, header, NS_SASL, NS_TLS, PASSWORD, Peer, response } from './peer.ts'
import { peakMemory, startTarget } from './server.ts'
import type { Target } from './server.ts'

const MOST_MEGABYTES = 400
const NS_SASL2 = 'urn:xmpp:sasl:2'
const NS_BIND = 'urn:ietf:params:xml:ns:xmpp-bind'
const BIND = `<iq type='set' id='bind'><bind xmlns='${NS_BIND}'><resource>ghost</resource></bind></iq>`

let target: Target
let innocents: Innocents
let mallory: Peer

beforeAll(async () => {
  target = await startTarget()
  innocents = await Innocents.logIn(target)
  mallory = await Peer.logIn(target, 'mallory/first')
  mallory.destroy()
}, 60_000)

afterEach(async () => {
  mallory.destroy()
  expect(await innocents.talk()).toEqual(EVERYTHING)
  expect(peakMemory(target)).toBeLessThan(MOST_MEGABYTES)
})

afterAll(() => target.stop())

describe('before the login', () => {
  test.each([
    ['a message', "<message to='juliet@localhost'><body>hello</body></message>"],
    ['presence', '<presence/>'],
    ['a request for the roster', "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>"],
    ['a resource', BIND],
    ['an answer', "<iq type='result' id='1'/>"],
  ])('%s is not authorized', async (_name, stanza) => {
    mallory = await Peer.open(target)

    void mallory.send(stanza)

    expect(await mallory.streamError()).toBe('not-authorized') // RFC 6120 §4.9.3.12
  })

  test('a message is not authorized before a resource is bound either', async () => {
    mallory = await Peer.open(target)
    await mallory.authenticate('mallory')

    void mallory.send("<message to='juliet@localhost'><body>hello</body></message>")

    expect(await mallory.streamError()).toBe('not-authorized')
  })

  test.each([
    ['a second header', header()],
    ['a second header without a declaration', header().replace(/^.*\?>/, '').replace(/>$/, '/>')],
  ])('%s ends the stream', async (_name, bytes) => {
    mallory = await Peer.open(target)

    void mallory.send(bytes)

    expect(await mallory.streamError()).toMatch(/^(restricted-xml|not-well-formed|unsupported-stanza-type)$/)
  })
})

/** What a client may say instead of a login, and the condition of the failure (RFC 6120 §6.5). */
const FAILURES: readonly (readonly [name: string, element: string, condition: string])[] = [
  ['a response without a challenge', response('n,,n=mallory,r=x'), 'malformed-request'],
  ['an abort of nothing', `<abort xmlns='${NS_SASL}'/>`, 'aborted'],
  ['a success', `<success xmlns='${NS_SASL}'/>`, 'malformed-request'],
  ['a challenge', `<challenge xmlns='${NS_SASL}'>=</challenge>`, 'malformed-request'],
  ['no mechanism', `<auth xmlns='${NS_SASL}'/>`, 'invalid-mechanism'],
  ['an unknown mechanism', auth('OTP', 'mallory'), 'invalid-mechanism'],
  ['a mechanism of an object\'s prototype', auth('constructor', 'mallory'), 'invalid-mechanism'],
  ['a password in the clear', auth('PLAIN', `\0mallory\0${PASSWORD}`), 'encryption-required'],
  ['base64 that is none', `<auth xmlns='${NS_SASL}' mechanism='SCRAM-SHA-1'>?!</auth>`, 'incorrect-encoding'],
  ['base64 without its padding', `<auth xmlns='${NS_SASL}' mechanism='SCRAM-SHA-1'>biw</auth>`, 'incorrect-encoding'],
  ['white space in base64', `<auth xmlns='${NS_SASL}' mechanism='SCRAM-SHA-1'>bi ws</auth>`, 'incorrect-encoding'],
  ['SCRAM that is none', auth('SCRAM-SHA-1', 'hello'), 'malformed-request'],
  ['SCRAM that is no UTF-8', `<auth xmlns='${NS_SASL}' mechanism='SCRAM-SHA-1'>biwswyg=</auth>`, 'malformed-request'],
  ['NUL in SCRAM', auth('SCRAM-SHA-1', 'n,,n=mal\0lory,r=x'), 'malformed-request'],
  ['a binding that nobody offered', auth('SCRAM-SHA-1-PLUS', 'p=tls-exporter,,n=mallory,r=x'), 'invalid-mechanism'],
  ['the name of another', auth('SCRAM-SHA-1', 'n,a=juliet@localhost,n=mallory,r=x'), 'invalid-authzid'],
  ['a name that no account can have', auth('SCRAM-SHA-1', 'n,,n=@,r=x'), 'not-authorized'],
  ['the new profile without TLS', `<authenticate xmlns='${NS_SASL2}' mechanism='SCRAM-SHA-1'/>`, 'encryption-required'],
]

describe('SASL', () => {
  test.each(FAILURES)('%s fails, and the stream goes on', async (_name, element, condition) => {
    mallory = await Peer.open(target)

    void mallory.send(element)
    const failure = await mallory.expect('failure')
    await mallory.authenticate('mallory')

    expect(failure.children[0]).toMatchObject({ name: condition, ns: NS_SASL })
  })

  test('who fails three times is sent away', async () => {
    mallory = await Peer.open(target)

    void mallory.send(auth('OTP', 'mallory').repeat(4))

    expect(await mallory.streamError()).toBe('policy-violation')
  })

  test('the second step of a login does not stand for the first of another', async () => {
    mallory = await Peer.open(target)

    void mallory.send(auth('SCRAM-SHA-1', 'n,,n=mallory,r=x'))
    await mallory.expect('challenge')
    void mallory.send(response('c=biws,r=y,p=AAAA'))
    const failure = await mallory.expect('failure')
    void mallory.send(response('c=biws,r=y,p=AAAA'))
    const again = await mallory.expect('failure')

    expect(failure.children[0]?.name).toBe('not-authorized')
    expect(again.children[0]?.name).toBe('malformed-request')
  })

  test('a missing account and a wrong password look the same', async () => {
    const answers: string[] = []
    for (const name of ['mallory', 'nobody']) {
      mallory = await Peer.open(target)
      void mallory.send(auth('SCRAM-SHA-1', `n,,n=${name},r=x`))
      const [, nonce, , iterations] =
        /^r=([^,]+),s=([^,]+),i=(\d+)/.exec(decode((await mallory.expect('challenge')).text)) ?? []
      void mallory.send(response(`c=biws,r=${nonce},p=${Buffer.alloc(20).toString('base64')}`))
      const failure = await mallory.expect('failure')
      answers.push(`${iterations} ${failure.children.map(child => child.name).join()}`)
      mallory.destroy()
    }

    expect(answers[0]).toMatch(/^\d+ not-authorized$/)
    expect(answers[1]).toBe(answers[0])
  })

  test('what follows a login is a new stream, and nothing else', async () => {
    mallory = await Peer.open(target)
    await mallory.prove('mallory')

    void mallory.send(BIND)

    expect(await mallory.streamError()).toBe('bad-format') // RFC 6120 §6.4.6
  })

  test('who is logged in can not log in as somebody else', async () => {
    mallory = await Peer.open(target)
    await mallory.authenticate('mallory')

    void mallory.send(auth('SCRAM-SHA-1', 'n,,n=juliet,r=x'))

    expect(await mallory.streamError()).toBe('not-authorized')
  })

  test('a thousand guesses at one account from everywhere keep nobody out who was in before', async () => {
    const guessers = await Promise.all(Array.from({ length: 1000 }, (_, index) =>
      Peer.open({ port: target.port, from: `127.0.1.${1 + index % 10}` })))

    const answers = Promise.all(guessers.map(peer => guess(peer, 'juliet')))
    await Promise.race([answers, delay(1000)]) // the rest is made to wait
    const talked = await innocents.talk()
    const juliet = await Peer.logIn({ port: target.port, from: '127.0.0.1' }, 'juliet/second', false)
    juliet.destroy()
    for (const peer of guessers) peer.destroy()

    expect(talked).toEqual(EVERYTHING)
    const conditions = new Set((await answers).flat())
    expect([...conditions].filter(name => name !== 'not-authorized' && name !== 'temporary-auth-failure')).toEqual([])
  })
})

describe('TLS', () => {
  test.each([
    ['a stream header', header()],
    ['a TLS record', Buffer.from([0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0, 0, 1, 0])],
    ['white space', '\n'],
  ])('%s right behind <starttls/> is somebody else\'s: nothing begins', async (_name, behind) => {
    mallory = await Peer.open(target)

    void mallory.send(Buffer.concat([Buffer.from(`<starttls xmlns='${NS_TLS}'/>`), Buffer.from(behind)]))

    expect(await mallory.next()).toMatchObject({ name: 'failure', ns: NS_TLS }) // RFC 6120 §5.4.2.2
    await mallory.expectClosed()
  })

  test('there is no second TLS within the first', async () => {
    mallory = await Peer.open(target)
    await mallory.startTls()
    await mallory.open()

    void mallory.send(`<starttls xmlns='${NS_TLS}'/>`)

    expect(await mallory.next()).toMatchObject({ name: 'failure', ns: NS_TLS })
    await mallory.expectClosed()
  })

  test('what is no handshake ends the connection', async () => {
    mallory = await Peer.open(target)
    void mallory.send(`<starttls xmlns='${NS_TLS}'/>`)
    await mallory.expect('proceed')

    void mallory.send(header())

    await mallory.expectClosed()
  })

  test('garbage on the port for TLS costs its own connections, and they are not counted for ever', async () => {
    const address = { port: target.tlsPort, from: '127.0.0.67' }
    for (let round = 0; round < 5; round++) {
      const peers = await Promise.all(Array.from({ length: 60 }, () => Peer.connect(address)))
      await Promise.all(peers.map(peer => peer.send(round % 2 === 0 ? header() : Buffer.alloc(2000, 0x16))))
      await Promise.all(peers.map(peer => peer.expectClosed()))
      for (const peer of peers) peer.destroy()
    }

    mallory = await Peer.connect({ ...address, isTls: true })

    expect((await mallory.open()).name).toBe('features')
  })

  test('a login of the new profile can not be begun twice', async () => {
    mallory = await Peer.connect({ port: target.tlsPort, isTls: true })
    await mallory.open()

    void mallory.send(`<authenticate xmlns='${NS_SASL2}' mechanism='SCRAM-SHA-1'/>`.repeat(2))

    expect(await mallory.streamError()).toBe('policy-violation') // XEP-0388 §2.4
  })
})

test('an account has so many sessions and no more, by either way of binding', async () => {
  const address = { port: target.tlsPort, isTls: true }
  mallory = await Peer.open(address)
  await mallory.register('crowd')
  const peers = await Promise.all(Array.from({ length: 101 }, () => Peer.open(address)))

  for (const peer of peers) void peer.send(bindingLogin('crowd'))
  const outcomes = await Promise.all(peers.map(peer => peer.next()))
  await mallory.authenticate('crowd')
  void mallory.send(BIND)
  const refusal = await mallory.expect('iq', 'error')
  for (const peer of peers) peer.destroy()

  const refused = outcomes.filter(({ name }) => name !== 'success')
  expect(refused.map(({ name, children }) => [name, children[0]?.name])).toEqual([['error', 'resource-constraint']])
  expect(refusal.children.find(({ name }) => name === 'error')?.children[0]?.name).toBe('resource-constraint')
})

describe('who leaves in the middle', () => {
  const steps: Readonly<Record<string, string | Buffer>> = {
    'a header': header(),
    'half a header': header().slice(0, 40),
    'a wish for TLS': `${header()}<starttls xmlns='${NS_TLS}'/>`,
    'half a login': header() + auth('SCRAM-SHA-1', 'n,,n=mallory,r=x'),
    'a wrong response': header() + auth('SCRAM-SHA-1', 'n,,n=mallory,r=x') + response('c=biws,r=x,p=AAAA'),
    'a registration': `${header()}<iq type='set' id='1'><query xmlns='jabber:iq:register'>` +
      '<username>late</username><password>secret</password></query></iq>',
  }

  test.each(Object.entries(steps))('after %s leaves nothing behind', async (_name, bytes) => {
    for (let round = 0; round < 20; round++) {
      mallory = await Peer.connect(target)
      if (round % 2 === 0) {
        mallory.end(bytes)
        await mallory.expectClosed()
      } else await mallory.send(bytes)
      mallory.destroy()
    }
  })

  test('in the handshake leaves nothing behind', async () => {
    for (let round = 0; round < 20; round++) {
      mallory = await Peer.open(target)
      void mallory.send(`<starttls xmlns='${NS_TLS}'/>`)
      await mallory.expect('proceed')
      await mallory.send(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]))
      mallory.destroy()
    }
  })

  test('while a resource is bound has no session', async () => {
    const names = Array.from({ length: 10 }, (_, index) => `ghost-${index}`)
    const peers = await Promise.all(names.map(async name => {
      const peer = await Peer.open(target)
      await peer.register(name)
      await peer.authenticate(name)
      return peer
    }))
    for (const peer of peers) peer.end(BIND)
    await Promise.all(peers.map(peer => peer.expectClosed()))

    mallory = await Peer.logIn(target, 'mallory/watch', false)

    // A connection closes at once, and what came by it is dealt with in its turn.
    for (const name of names)
      await expect.poll(() => isReachable(mallory, `${name}@localhost/ghost`), { timeout: 10_000 }).toBe(false)
  })

  test('while a login of the new profile binds has no session', async () => {
    const login = bindingLogin('mallory', "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>")
    const address = { port: target.tlsPort, isTls: true }
    mallory = await Peer.connect(address)
    await mallory.open()
    void mallory.send(login)
    const success = await mallory.expect('success')
    const full = success.children.find(({ name }) => name === 'authorization-identifier')?.text ?? ''
    mallory.destroy()
    for (let round = 0; round < 5; round++) {
      mallory = await Peer.connect(address)
      await mallory.open()
      mallory.end(login)
      await mallory.expectClosed()
      mallory.destroy()
    }

    mallory = await Peer.logIn(target, 'mallory/watch', false)

    expect(full).toMatch(/^mallory@localhost\/.+/)
    await expect.poll(() => isReachable(mallory, full), { timeout: 5_000 }).toBe(false)
  })
})

/** Logs in and binds in one element (XEP-0388, XEP-0386). */
function bindingLogin (name: string, more = ''): string {
  const initial = Buffer.from(`\0${name}\0${PASSWORD}`).toString('base64')
  return `<authenticate xmlns='${NS_SASL2}' mechanism='PLAIN'><initial-response>${initial}</initial-response>` +
    `${more}<bind xmlns='urn:xmpp:bind:0'/></authenticate>`
}

/** Whether there is a session to whom a request is given: else the server answers it. */
async function isReachable (peer: Peer, jid: string): Promise<boolean> {
  void peer.send(`<iq type='get' id='reach' to='${jid}'><ping xmlns='urn:xmpp:ping'/></iq>`)
  void peer.send("<iq type='get' id='fence' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
  const first = await peer.expect('iq')
  if (first.attributes.get('id') === 'fence') return true
  await peer.expect('iq', 'result')
  return false
}

/** Three wrong proofs; resolves to the conditions of the failures that came. */
async function guess (peer: Peer, name: string): Promise<readonly string[]> {
  const conditions: string[] = []
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      void peer.send(auth('SCRAM-SHA-1', `n,,n=${name},r=x`))
      const [, nonce] = /^r=([^,]+),/.exec(decode((await peer.expect('challenge')).text)) ?? []
      void peer.send(response(`c=biws,r=${nonce},p=${Buffer.alloc(20, 1).toString('base64')}`))
      conditions.push((await peer.expect('failure')).children[0]?.name ?? '')
    }
  } catch { // we left
  }
  return conditions
}

function decode (text: string): string {
  return Buffer.from(text, 'base64').toString()
}
