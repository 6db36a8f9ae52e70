/** A client that is in and turns on the others: floods, deafness, forgery, addresses that are none. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { EVERYTHING, Innocents } from './innocents.ts'
import { auth, NS_TLS, Peer } from './peer.ts'
import { peakMemory, startTarget } from './server.ts'
import type { Target } from './server.ts'

const MOST_MEGABYTES = 450
const KILOBYTE = 1024
const INFO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"

let target: Target
let innocents: Innocents
let mallory: Peer
let eve: Peer

beforeAll(async () => {
  // Without a limit for reading the attack is as fast as it can be.
  target = await startTarget({ 'bytes-per-second': 0 })
  innocents = await Innocents.logIn(target)
  mallory = await Peer.logIn(target, 'mallory/first')
  mallory.destroy()
  eve = await Peer.logIn(target, 'eve/first')
  eve.destroy()
}, 60_000)

afterEach(async () => {
  mallory.destroy()
  eve.destroy()
  expect(await innocents.talk()).toEqual(EVERYTHING)
  expect(peakMemory(target)).toBeLessThan(MOST_MEGABYTES)
})

afterAll(() => target.stop())

const logIn = (jid: string): Promise<Peer> => Peer.logIn(target, jid, false)

describe('a forged address', () => {
  test.each([
    'juliet@localhost',
    'juliet@localhost/balcony',
    'mallory@localhost/other',
    'localhost',
    'mallory@elsewhere.example',
    '@',
    '',
  ])('%j ends the stream', async from => {
    mallory = await logIn('mallory/laptop')

    void mallory.send(`<message from='${from}' to='romeo@localhost/orchard'><body>I am Juliet</body></message>`)

    expect(await mallory.streamError()).toBe('invalid-from') // RFC 6120 §8.1.2.1
  })

  test('is not one\'s own, bare or full', async () => {
    mallory = await logIn('mallory/laptop')
    eve = await logIn('eve/laptop')

    for (const from of ['mallory@localhost', 'Mallory@LOCALHOST/laptop']) {
      void mallory.send(`<message from='${from}' to='eve@localhost/laptop'><body>hello</body></message>`)

      expect((await eve.expect('message')).attributes.get('from')).toBe('mallory@localhost/laptop')
    }
  })
})

describe('an address that is none', () => {
  test.each([
    '@localhost', 'juliet@', 'juliet@localhost/', 'a b@localhost', 'juliet@local host', '/resource', 'a@b@c',
    `${'x'.repeat(1024)}@localhost`, `juliet@localhost/${'x'.repeat(1024)}`, `${'x'.repeat(200 * KILOBYTE)}@localhost`,
    `juliet@${'x'.repeat(200 * KILOBYTE)}`,
    `juliet@${'x.'.repeat(100 * KILOBYTE)}`,
    `juliet@localhost/${'\ufdfa'.repeat(60 * KILOBYTE)}`,
    `${'\u0345'.repeat(100 * KILOBYTE)}@localhost`,
    `juliet@xn--${'a'.repeat(200 * KILOBYTE)}`,
    '\u202e@localhost',
    'juliet@\u2028',
  ])('is answered, and the stream goes on (%#)', async to => {
    mallory = await logIn('mallory/laptop')

    void mallory.send(`<message to='${to}' id='1'><body>hello</body></message>`)
    const answer = await mallory.expect('message', 'error')

    expect(answer.children.find(({ name }) => name === 'error')?.children[0]?.name).toBe('jid-malformed')
    await mallory.expectPong()
  })

  test.each([[1023, 'result'], [1024, 'error'], [9000, 'error']])(
    'a resource of %i bytes is bound or refused: %s',
    async (length, type) => {
      mallory = await Peer.open(target)
      await mallory.authenticate('mallory')

      void mallory.send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" +
      `<resource>${'x'.repeat(length)}</resource></bind></iq>`)
      await mallory.expect('iq', type)
      if (type === 'error') await mallory.bind('laptop')

      await mallory.expectPong()
    })
})

describe('what belongs to the way in', () => {
  test.each([`<starttls xmlns='${NS_TLS}'/>`, auth('SCRAM-SHA-1', 'n,,n=juliet,r=x')])(
    'is unknown behind it (%#)',
    async element => {
      mallory = await logIn('mallory/laptop')

      void mallory.send(element)

      expect(await mallory.streamError()).toBe('unsupported-stanza-type')
    })
})

describe('a client that does not read', () => {
  test('what it is sent is sent away with it, when that is too much', async () => {
    mallory = await logIn('mallory/deaf')
    eve = await logIn('eve/laptop')
    mallory.stopReading()
    // Of this type nothing is kept: it comes to the session, or back (RFC 6121 §8.5.3.2.1).
    const message = `<message type='groupchat' to='mallory@localhost/deaf'><body>${'x'.repeat(64 * KILOBYTE)}</body></message>`

    const refused = eve.expect('message', 'error') // the session is gone
    let isRefused = false
    void refused.then(() => { isRefused = true })
    let sent = 0
    for (; !isRefused && sent < 4000; sent++) await eve.send(message)
    await refused
    mallory.resumeReading()

    expect(await mallory.streamError()).toBe('resource-constraint')
  }, 90_000) // a client that takes nothing is given ten seconds

  test('what it asks for waits until it reads what it was answered', async () => {
    mallory = await logIn('mallory/deaf')
    mallory.stopReading()
    // Together more than the sockets' own buffers hold.
    const requests = `<iq type='get' id='${'1'.repeat(KILOBYTE)}' to='localhost'>${INFO}</iq>`.repeat(500)
    let left = 0

    const sent = Array.from({ length: 40 }, () => mallory.send(requests).then(() => { left++ }))
    await innocents.talk()
    const leftMeanwhile = left
    mallory.resumeReading()
    for (let count = 0; count < 20_000; count++) await mallory.expect('iq', 'result')
    await Promise.all(sent)

    expect(leftMeanwhile).toBeLessThan(40)
  })

  test('what it asks for before it has logged in is answered less long', async () => {
    mallory = await Peer.open(target)
    mallory.stopReading()
    const requests = "<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>".repeat(500)

    for (let count = 0; count < 200 && !mallory.isClosed; count++) await mallory.send(requests)
    mallory.resumeReading()

    expect(await mallory.streamError()).toBe('resource-constraint')
  })
})

describe('a flood', () => {
  test('of requests is answered, each of them, in order', async () => {
    mallory = await logIn('mallory/laptop')
    const ids = Array.from({ length: 20_000 }, (_, index) => String(index))

    void mallory.send(
      ids.map(id => `<iq type='get' id='${id}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`).join(''),
    )
    const answered: (string | undefined)[] = []
    while (answered.length < ids.length) answered.push((await mallory.next()).attributes.get('id'))

    expect(answered).toEqual(ids)
  })

  test('of requests that need the database is answered, with 200 of them under way', async () => {
    mallory = await logIn('mallory/laptop')
    const ids = Array.from({ length: 200 }, (_, index) => String(index))

    void mallory.send(
      ids.map(id => `<iq type='set' id='${id}'><query xmlns='jabber:iq:private'><x xmlns='urn:x:${id}'/></query></iq>`)
        .join(''),
    )
    const answered: (string | undefined)[] = []
    while (answered.length < ids.length) answered.push((await mallory.expect('iq', 'result')).attributes.get('id'))

    expect(answered.toSorted()).toEqual(ids.toSorted())
  })

  test('of presence is passed on', async () => {
    mallory = await logIn('mallory/laptop')

    void mallory.send('<presence><show>away</show></presence>'.repeat(20_000))

    await mallory.expectPong()
  })

  test('of presence to thousands of addresses still ends when the stream does', async () => {
    mallory = await logIn('mallory/laptop')
    eve = await logIn('eve/laptop')
    const all = Array.from({ length: 5_000 }, (_, index) => `<presence to='nobody-${index}@localhost'/>`)

    void mallory.send(`${all.join('')}<presence to='eve@localhost/laptop'/>`)
    await eve.expect('presence')
    mallory.destroy()

    expect((await eve.expect('presence')).attributes.get('type')).toBe('unavailable')
  })

  test('of messages to hundreds of addresses is answered', async () => {
    mallory = await logIn('mallory/laptop')

    void mallory.send(
      Array.from({ length: 300 }, (_, index) => `<message to='nobody-${index}@localhost'><body>hello</body></message>`)
        .join(''),
    )
    for (let count = 0; count < 300; count++) await mallory.expect('message', 'error')
  })

  test('of answers that nobody asked for is silence', async () => {
    mallory = await logIn('mallory/laptop')

    void mallory.send(
      "<iq type='result' id='1'/><iq type='error' id='1' to='localhost'/><message type='error' to='nobody@localhost'/>"
        .repeat(300),
    )
    void mallory.send("<iq type='get' id='fence' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")

    expect((await mallory.next()).attributes.get('id')).toBe('fence')
  })

  test('of white space is a sign of life', async () => {
    mallory = await logIn('mallory/laptop')

    await mallory.send(' '.repeat(5_000 * KILOBYTE))

    await mallory.expectPong()
  })
})

describe('a stanza of many parts', () => {
  const manyChildren = (count: number): string =>
    `<m:message xmlns:m='jabber:client' xmlns='urn:x' to='eve@localhost/laptop'>${'<a/>'.repeat(count)}</m:message>`

  test('12 000 children in another namespace than their parent\'s are passed on', async () => {
    mallory = await logIn('mallory/laptop')
    eve = await logIn('eve/laptop')

    void mallory.send(manyChildren(12_000))
    const { children } = await eve.expect('message')

    const sent = children.filter(({ name }) => name === 'a')
    expect(sent.length).toBe(12_000)
    expect(new Set(sent.map(({ ns }) => ns))).toEqual(new Set(['urn:x']))
  })

  test('60 000 of them, each with its namespace, are too large', async () => {
    mallory = await logIn('mallory/laptop')

    void mallory.send(manyChildren(60_000))

    expect(await mallory.streamError()).toBe('policy-violation')
  })

  test('a roster set of 1 000 items is a bad request', async () => {
    mallory = await logIn('mallory/laptop')
    const items = Array.from({ length: 1_000 }, (_, index) => `<item jid='contact-${index}@localhost'/>`)

    void mallory.send(`<iq type='set' id='1'><query xmlns='jabber:iq:roster'>${items.join('')}</query></iq>`)

    expect(conditionOf(await mallory.expect('iq', 'error'))).toBe('bad-request') // RFC 6121 §2.3.3
  })
})

describe('who says goodbye', () => {
  test('is heard to the end, also what had to wait', async () => {
    mallory = await logIn('mallory/laptop')
    eve = await logIn('eve/laptop')
    const slow = Array.from(
      { length: 20 },
      (_, index) => `<message to='nobody-${Math.random()}-${index}@localhost'><body>x</body></message>`,
    )

    mallory.end(`${slow.join('')}<message to='eve@localhost/laptop'><body>goodbye</body></message></stream:stream>`)

    expect((await eve.expect('message')).children[0]?.text).toBe('goodbye')
  })
})

function conditionOf (stanza: Awaited<ReturnType<Peer['next']>>): string | undefined {
  return stanza.children.find(({ name }) => name === 'error')?.children[0]?.name
}
