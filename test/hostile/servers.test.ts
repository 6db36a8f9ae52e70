/** Other servers that turn on this one: floods, storms, deafness, rooms that are none, handshakes that never end. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { freePort } from '../../conformance/peers/free-port.ts'
import type { XmlElement } from '../../conformance/runner/xml.ts'
import { expectWaiting, startHeliograph } from '../federation/heliograph.ts'
import type { FederationKeys } from '../federation/heliograph.ts'
import type { FederatedServer } from '../federation/server.ts'
import { Authority } from '../support/authority.ts'
import { DnsServer } from '../support/dns/dns-server.ts'
import { createDatabase } from '../support/run/database.ts'
import { ServerWire } from '../support/wire/server-wire.ts'
import { EVERYTHING, Innocents } from './innocents.ts'
import { Peer } from './peer.ts'
import { peakMemory } from './server.ts'

const HERE = '127.0.0.1'
const BIDI = "<bidi xmlns='urn:xmpp:bidi'/>"
const MEBIBYTE = 1024 * 1024
const MESSAGES = 20
const FLOOD = 20_000
const LETTERS = 3000
const REQUESTS = 1500
/** That wait for one account (docs/limits.md). */
const MOST_REQUESTS = 1000
const MOST_MEGABYTES = 500
const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
/** Each attack by itself; most cost a few. */
const MOST_MORE_MEGABYTES = 150

const HEADER = "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
  + "from='mallory.example' to='localhost' version='1.0'>"

const authority = new Authority()
let dns: DnsServer
let target: FederatedServer
let dropDatabase: () => Promise<void>
let innocents: Innocents
/** Hears of a server that does nothing wrong, and of nobody else. */
let nurse: Peer
/** Whom the attacks are meant for. */
let angelica: Peer
let mallory: ServerWire
let neighbour: ServerWire
let memoryBefore: number

async function start (keys: FederationKeys): Promise<void> {
  dns = await DnsServer.start()
  const database = await createDatabase(inject('postgresUrl'))
  dropDatabase = database.drop
  const others = { database: database.url, log: { level: 'info', pretty: false }, limits: { 'bytes-per-second': 0 } }
  target = await startHeliograph({ trust: 'certificate', authority, dns }, keys, 'localhost', others)
  innocents = await Innocents.logIn({ port: target.place.ports.client })
  nurse = await Peer.logIn({ port: target.place.ports.client, from: HERE }, 'nurse/room')
  const first = await Peer.logIn({ port: target.place.ports.client, from: HERE }, 'angelica/first')
  first.destroy()
  neighbour = await serverOf('neighbour.example')
}

async function stop (): Promise<void> {
  nurse.destroy()
  neighbour.destroy()
  await target.remove()
  await dropDatabase()
  await dns[Symbol.asyncDispose]()
}

/** A stream that has proven this domain by a certificate. */
async function serverOf (domain: string, before?: string): Promise<ServerWire> {
  const wire = await ServerWire.connect(target.place.ports.server, domain, 'localhost')
  await wire.proves(authority.issue({ hosts: [domain] }), before)
  return wire
}

async function angelicaComes (): Promise<void> {
  angelica = await Peer.logIn({ port: target.place.ports.client, from: HERE }, 'angelica/kitchen', false)
  void angelica.send('<presence/>')
}

/** What she hears before the answer to a request that is sent now. */
async function heardByNow (): Promise<readonly XmlElement[]> {
  void angelica.send("<iq type='get' id='fence' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
  const heard: XmlElement[] = []
  for (;;) {
    const element = await angelica.next()
    if (element.attributes.get('id') === 'fence') return heard
    heard.push(element)
  }
}

async function hears (id: string): Promise<void> {
  while ((await angelica.next()).attributes.get('id') !== id);
}

/** The numbers by which the nurse heard what a server said that does nothing wrong. */
async function neighbourTalks (): Promise<readonly number[]> {
  for (let number = 0; number < MESSAGES; number++) {
    neighbour.send("<message from='peter@neighbour.example/a' to='nurse@localhost/room' type='headline'>" +
      `<body>${number}</body></message>`)
  }
  const heard: number[] = []
  while (heard.length < MESSAGES) heard.push(Number((await nurse.expect('message')).children[0]?.text))
  return heard
}

async function expectUndisturbed (): Promise<void> {
  expect(await innocents.talk()).toEqual(EVERYTHING)
  expect(await neighbourTalks()).toEqual([...Array(MESSAGES).keys()])
}

/** Everything that it has sent is dealt with. */
async function settled (wire: ServerWire): Promise<void> {
  wire.send("<enable xmlns='urn:xmpp:sm:3'/>")
  await wire.expectHeard("<enabled xmlns='urn:xmpp:sm:3'/>")
}

function message (number: number, length: number, more = "type='headline'"): string {
  return `<message from='mallory${number}@mallory.example/a' to='angelica@localhost/kitchen' id='m${number}' ${more}>` +
    `<body>${'x'.repeat(length)}</body></message>`
}

describe('of a server that sends as fast as it can', () => {
  beforeAll(() => start({ 'bytes-per-second': 0 }), 120_000)
  afterAll(stop)

  beforeEach(async () => {
    await angelicaComes()
    memoryBefore = peakMemory(target)
  })

  afterEach(async () => {
    mallory.destroy()
    await expectUndisturbed()
    angelica.destroy()
    expect(peakMemory(target) - memoryBefore).toBeLessThan(MOST_MORE_MEGABYTES)
  })

  test('a flood of stanzas delays nobody else, and is delivered in order', async () => {
    mallory = await serverOf('mallory.example')

    for (let number = 0; number < FLOOD; number++) mallory.send(message(number, 1000))
    await expectUndisturbed()

    const heard: (string | undefined)[] = []
    while (heard.length < FLOOD) {
      const { name, attributes } = await angelica.next()
      if (name === 'message') heard.push(attributes.get('id'))
    }
    expect(heard).toEqual(Array.from({ length: FLOOD }, (_, number) => `m${number}`))
  })

  test.each([
    ['elements within each other', '<a>'.repeat(100_000)],
    ['elements beside each other', '<a/>'.repeat(100_000)],
    ['attributes', `<a ${Array.from({ length: 20_000 }, (_, number) => `a${number}=''`).join(' ')}/>`],
    ['bytes', `<body>${'x'.repeat(2 * MEBIBYTE)}</body>`],
  ])('a stanza of too many %s ends its stream', async (_, content) => {
    mallory = await serverOf('mallory.example')

    mallory.send(`<message from='mallory@mallory.example/a' to='angelica@localhost/kitchen'>${content}`)

    expect(await mallory.untilClosed()).toContain('<policy-violation ')
  })

  test('a storm of presence of many strangers costs what it is, and no more', async () => {
    mallory = await serverOf('mallory.example')

    for (let number = 0; number < 20_000; number++) {
      const to = number % 2 === 0 ? 'angelica@localhost' : 'angelica@localhost/kitchen'
      mallory.send(`<presence from='mallory${number}@mallory.example/${'r'.repeat(500)}' to='${to}'>` +
        `<status>${'s'.repeat(500)}</status></presence>`)
    }

    await expectUndisturbed()
    await settled(mallory)
  })

  test('of a storm of requests for a subscription as many wait as the limit says', async () => {
    mallory = await serverOf('mallory.example')

    for (let number = 0; number < REQUESTS; number++) {
      mallory.send(`<presence from='mallory${number}@mallory.example' to='angelica@localhost' type='subscribe'/>`)
    }

    await expectUndisturbed()
    await settled(mallory)
    angelica.destroy()
    await angelicaComes()
    const countWaiting = async (): Promise<number> => {
      waiting += (await heardByNow()).filter(({ attributes }) => attributes.get('type') === 'subscribe').length
      return waiting
    }
    let waiting = 0
    await expect.poll(countWaiting).toBeGreaterThanOrEqual(MOST_REQUESTS)
    expect(await countWaiting()).toBe(MOST_REQUESTS)
  })

  test('a server that calls its address a room is heard by nobody who has not come in', async () => {
    mallory = await serverOf('mallory.example')

    mallory.send("<message from='coven@mallory.example/hecate' to='angelica@localhost' type='groupchat'><body>hail</body></message>")

    await settled(mallory)
    expect((await heardByNow()).filter(({ name }) => name === 'message')).toEqual([])
  })

  test('a server that speaks for somebody else\'s room ends its stream', async () => {
    mallory = await serverOf('mallory.example')

    for (const room of ['coven@conference.localhost/hecate', 'coven@rooms.neighbour.example/hecate']) {
      mallory.send(`<message from='${room}' to='angelica@localhost/kitchen' type='groupchat'><body>hail</body></message>`)
    }

    expect(await mallory.untilClosed()).toContain('<invalid-from ')
    expect((await heardByNow()).filter(({ name }) => name === 'message')).toEqual([])
  })

  test('a server that asks and reads no answers costs no more than the limit of what waits for it', async () => {
    mallory = await serverOf('mallory.example', BIDI)
    mallory.stopReading()

    for (let number = 0; number < 100_000; number++) {
      mallory.send(`<iq from='mallory@mallory.example/a' to='localhost' type='get' id='q${number}'>`
        + "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
    }

    mallory.send(message(0, 10))

    await expectUndisturbed()
    await hears('m0') // what was asked before is answered, or dropped
  })

  test('what is for a server that reads nothing waits on disk', async () => {
    dns.names.set('_xmpp-server._tcp.mallory.example', { srv: [{ port: await freePort(), target: 'localhost' }] })
    mallory = await serverOf('mallory.example', BIDI)
    mallory.stopReading()

    for (let number = 0; number < LETTERS; number++) {
      await angelica.send(`<message to='mallory@mallory.example' id='o${number}' type='chat'>` +
        `<body>${'x'.repeat(10_000)}</body></message>`)
    }

    await expectUndisturbed()
    await expectWaiting(target, 'mallory.example', LETTERS)
  })
})

describe('of servers that are strangers, or read slowly', () => {
  beforeAll(() => start({ 'bytes-per-second': 100_000 }), 120_000)
  afterAll(stop)

  test('a server that floods is read as slowly as the limit says, and delays nobody else', async () => {
    await angelicaComes()
    mallory = await serverOf('mallory.example')
    memoryBefore = peakMemory(target)

    for (let number = 0; number < FLOOD; number++) mallory.send(message(number, 1000)) // that is minutes' worth
    await expectUndisturbed()

    expect((await heardByNow()).filter(({ name }) => name === 'message').length).toBeLessThan(FLOOD / 2)
    expect(peakMemory(target) - memoryBefore).toBeLessThan(MOST_MORE_MEGABYTES)
    mallory.destroy()
    angelica.destroy()
  })

  test('one address gets no more streams than the limit says, others do', async () => {
    const connect = (from: string): Promise<Peer> => Peer.connect({ port: target.place.ports.server, from })
    const peers = await Promise.all(Array.from({ length: 501 }, () => connect('127.0.3.1')))

    const opened = await Promise.allSettled(peers.map(opens))
    const other = await connect('127.0.3.2')
    await opens(other)
    for (const peer of [...peers, other]) peer.destroy()

    expect(opened.filter(({ status }) => status === 'fulfilled').length).toBe(500)
    await expectUndisturbed()
  })

  test('a thousand handshakes of every length that never end disturb nobody, and are ended in the end', {
    timeout: 180_000,
  }, async () => {
    const handshakes = await Promise.all(Array.from({ length: 1000 }, (_, index) => beginsOnly(index)))

    await expectUndisturbed()
    for (const peer of handshakes) await peer.expectClosed()
    await expectUndisturbed()
    expect(peakMemory(target)).toBeLessThan(MOST_MEGABYTES)
  })
})

async function opens (peer: Peer): Promise<void> {
  void peer.send(HEADER)
  await peer.expect('features')
}

/** A stranger that goes so far: half a header, a whole one, the wish for TLS, TLS, and a header in it. */
async function beginsOnly (index: number): Promise<Peer> {
  const step = index % 5
  const peer = await Peer.connect({ port: target.place.ports.server, from: `127.0.4.${1 + index % 10}` })
  if (step === 0) void peer.send(HEADER.slice(0, 60))
  if (step > 0) await opens(peer)
  if (step === 2) void peer.send(STARTTLS)
  if (step > 2) await peer.startTls()
  if (step > 3) void peer.send(HEADER)
  return peer
}
