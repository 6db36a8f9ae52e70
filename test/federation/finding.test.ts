/** How servers find and reach each other: services in DNS, direct TLS, addresses, streams that are used both ways. */
import { randomInt } from 'node:crypto'
import { afterEach, beforeAll, afterAll, describe, expect, onTestFinished, test } from 'vitest'
import type { DnsName } from '../support/dns/dns-server.ts'
import { freePort } from '../../conformance/peers/free-port.ts'
import { Federation, START_MS, whyNoPeers } from './federation.ts'
import { Person } from './person.ts'
import { startProsody } from './prosody.ts'
import type { FederatedServer } from './server.ts'
import { expectLogged, expectWaiting, run } from './heliograph.ts'

const OURS = 'heliograph.example'
const THEIRS = 'prosody.example'

const missing = whyNoPeers()
if (missing !== undefined) console.warn(missing)

/** A connection to the first begins and never ends; at the second nobody listens. */
const SILENT = '192.0.2.1'
const REFUSING = '127.0.0.9'
/** A domain that is an address has no records that could name a port: each run of the tests has its own. */
const ADDRESS = `127.77.${randomInt(256)}.${randomInt(1, 255)}`
const ADDRESS_LINES = `s2s_interfaces = { "${ADDRESS}" }\ns2s_ports = { 5269 }`

const plain = (domain: string): string => `_xmpp-server._tcp.${domain}`
const direct = (domain: string): string => `_xmpps-server._tcp.${domain}`

describe.skipIf(missing !== undefined)('Finding a server', () => {
  let federation: Federation

  beforeAll(async () => { federation = await Federation.start('certificate', 'heliograph', 'prosody') }, START_MS)
  afterAll(() => federation?.[Symbol.asyncDispose]())

  /** Both are started anew, without streams and without what they remember of DNS, and it says this. */
  const begin = async (names: (domain: string) => Promise<Readonly<Record<string, DnsName>>>): Promise<void> => {
    const { dns } = federation.neighbourhood
    const servers = [federation.server(OURS), federation.server(THEIRS)]
    await Promise.all(servers.map(server => server.end()))
    for (const { domain } of servers) {
      for (const name of [plain(domain), direct(domain)]) dns.names.delete(name)
      for (const [name, says] of Object.entries(await names(domain))) dns.names.set(name, says)
    }
    dns.asked.length = 0
    await Promise.all(servers.map(server => server.start()))
  }
  const portsOf = (domain: string): { server: number, serverTls: number } => federation.server(domain).place.ports
  const meet = async (): Promise<readonly [Person, Person]> =>
    Promise.all([federation.arrive('romeo', OURS), federation.arrive('juliet', THEIRS)])
  const expectBothWays = async (): Promise<void> => {
    const [romeo, juliet] = await meet()
    romeo.say(juliet.fullJid, 'from-ours')
    await juliet.expectSeen('message', { id: 'from-ours', from: romeo.fullJid })
    juliet.say(romeo.fullJid, 'from-theirs')
    await romeo.expectSeen('message', { id: 'from-theirs', from: juliet.fullJid })
  }

  test('one with direct TLS only is reached, in both directions', async () => {
    await begin(async domain => ({ [direct(domain)]: { srv: [{ port: portsOf(domain).serverTls, target: 'localhost' }] } }))

    await expectBothWays()
  })

  test('the next of several is taken where the first does not answer, in both directions', async () => {
    await begin(async domain => ({
      [plain(domain)]: {
        srv: [
          { priority: 1, port: await freePort(), target: 'localhost' },
          { priority: 2, port: portsOf(domain).server, target: 'localhost' },
        ],
      },
    }))

    await expectBothWays()
  })

  test('the address of a host is taken that answers, where others refuse or say nothing, in both directions', async () => {
    const { dns } = federation.neighbourhood
    // Ours tries several at a time (RFC 8305), Prosody one after the other.
    dns.names.set('eyes.prosody.example', { aaaa: ['::1'], a: [SILENT, REFUSING, '127.0.0.1'] })
    dns.names.set('eyes.heliograph.example', { aaaa: ['::1'], a: [REFUSING, '127.0.0.1'] })
    await begin(async domain => ({ [plain(domain)]: { srv: [{ port: portsOf(domain).server, target: `eyes.${domain}` }] } }))

    await expectBothWays()
  })

  test('direct TLS of the first priority comes before STARTTLS of the second', async () => {
    await begin(async domain => ({
      [direct(domain)]: { srv: [{ priority: 1, port: portsOf(domain).serverTls, target: 'localhost' }] },
      [plain(domain)]: { srv: [{ priority: 2, port: await freePort(), target: 'localhost' }] },
    }))

    await expectBothWays()
  })

  test('one that does not exist, or says that it is none, is told of at once', async () => {
    const { dns } = federation.neighbourhood
    dns.names.set(plain('silent.example'), { srv: [{ port: 0, target: '.' }] })
    const romeo = await federation.arrive('romeo', OURS)

    for (const domain of ['nowhere.invalid', 'silent.example']) {
      romeo.say(`juliet@${domain}`, `to-${domain}`)
      await romeo.expectSeen('message', { type: 'error', id: `to-${domain}` }, /<remote-server-not-found /)
    }
    expect(await romeo.ask('nowhere.invalid', "<ping xmlns='urn:xmpp:ping'/>")).toMatch(/<remote-server-not-found /)
  })

  test('a stream is used in both directions, whoever has opened it', async () => {
    const { dns } = federation.neighbourhood
    const usual = async (domain: string): Promise<Readonly<Record<string, DnsName>>> =>
      ({ [plain(domain)]: { srv: [{ port: portsOf(domain).server, target: 'localhost' }] } })

    for (const [first, second] of [[OURS, THEIRS], [THEIRS, OURS]] as const) {
      await begin(usual)
      const [one, other] = await Promise.all([federation.arrive('romeo', first), federation.arrive('juliet', second)])
      one.say(other.fullJid, 'there')
      await other.expectSeen('message', { id: 'there' })
      other.say(one.fullJid, 'and-back')
      await one.expectSeen('message', { id: 'and-back' })
      await expectWaiting(federation.server(OURS), THEIRS, 0) // or ours would open a stream when it starts

      expect(dns.asked).toContain(`SRV ${plain(second)}`)
      expect(dns.asked).not.toContain(`SRV ${plain(first)}`)
    }
  })

  test('messages wait for one that is away, and come when it is back', async () => {
    const theirs = federation.server(THEIRS)
    const [romeo, juliet] = await meet()
    romeo.say(juliet.jid, 'before')
    await juliet.expectSeen('message', { id: 'before' })
    await theirs.kill()

    const ids = Array.from({ length: 20 }, (_, index) => `away-${index}`)
    for (const id of ids) romeo.say(juliet.jid, id)
    await expectLogged(federation.server(OURS), 'federation.unreachable')
    await theirs.start()

    const back = await federation.logIn(juliet.jid, 'back')
    await back.expectSeen('message', { id: 'away-19' })
    // What was not confirmed before is sent again, and Prosody takes it twice.
    expect(back.messageIds.filter(id => id !== 'before')).toEqual(ids)
    expect(romeo.hasSeen(/type='error'/)).toBe(false)
  })

  test('messages wait for one that is away also while ours is started anew', async () => {
    const [ours, theirs] = [federation.server(OURS), federation.server(THEIRS)]
    const [romeo, juliet] = await meet()
    await theirs.kill()
    await romeo.saySurely(juliet.jid, 'over-night')

    await ours.kill()
    await ours.start()
    await theirs.start()

    const back = await federation.logIn(juliet.jid, 'back')
    await back.expectSeen('message', { id: 'over-night', from: romeo.fullJid })
    await expectWaiting(ours, THEIRS, 0)
  })

  test('what waits is given back where an administrator drops it, also after a restart', async () => {
    const [ours, theirs] = [federation.server(OURS), federation.server(THEIRS)]
    await expectWaiting(ours, THEIRS, 0) // of the tests before
    await theirs.end()
    const romeo = await federation.arrive('romeo', OURS)
    await romeo.saySurely(`juliet@${THEIRS}`, 'never')

    await ours.kill()
    await ours.start()
    await expectWaiting(ours, THEIRS, 1)
    expect(await run(ours, 'federation', 'drop', THEIRS)).toContain(`1 message for ${THEIRS} went back`)

    const back = await federation.logIn(romeo.jid, 'back')
    await back.expectSeen('message', { type: 'error', id: 'never' }, /<remote-server-timeout /)
  })
})

describe.skipIf(missing !== undefined)('A server that gives up', () => {
  let federation: Federation

  beforeAll(async () => {
    federation = await Federation.start('certificate')
    await federation.addOurs({ 'give-up-hours': 0.002 })
  }, START_MS)
  afterAll(() => federation?.[Symbol.asyncDispose]())

  test('gives a message back with its id, also after it was killed meanwhile', async () => {
    const ours = federation.server(OURS)
    federation.neighbourhood.dns.names.set(plain('away.example'), { srv: [{ port: await freePort(), target: 'localhost' }] })
    const romeo = await federation.arrive('romeo', OURS)
    await romeo.saySurely('juliet@away.example', 'never')

    await ours.kill()
    await ours.start()

    const back = await federation.logIn(romeo.jid, 'back')
    await back.expectSeen('message', { type: 'error', id: 'never', from: 'juliet@away.example' }, /<remote-server-timeout /)
  })
})

describe.skipIf(missing !== undefined)('A server of several domains', () => {
  let federation: Federation

  beforeAll(async () => {
    federation = await Federation.start('dialback', 'prosody')
    await federation.addOurs({}, 'second.example')
  }, START_MS)
  afterAll(() => federation?.[Symbol.asyncDispose]())

  test('exchanges messages for each of them', async () => {
    const juliet = await federation.arrive('juliet', THEIRS)

    for (const domain of [OURS, 'second.example']) {
      const romeo = await federation.arrive('romeo', domain)
      romeo.say(juliet.fullJid, `from-${domain}`)
      await juliet.expectSeen('message', { id: `from-${domain}`, from: romeo.fullJid })
      juliet.say(romeo.fullJid, `to-${domain}`)
      await romeo.expectSeen('message', { id: `to-${domain}`, from: juliet.fullJid })
    }
  })
})

describe.skipIf(missing !== undefined)('An international domain', () => {
  let federation: Federation

  beforeAll(async () => {
    federation = await Federation.start('certificate')
    await Promise.all([federation.add('prosody', 'bücher.example'), federation.add('heliograph', 'müller.example')])
  }, START_MS)
  afterAll(() => federation?.[Symbol.asyncDispose]())

  test('is found, proven and answered, in both directions', async () => {
    const romeo = await federation.arrive('romeo', 'müller.example')
    const juliet = await federation.arrive('juliet', 'bücher.example')

    romeo.say(juliet.fullJid, 'from-ours')
    juliet.say(romeo.fullJid, 'from-theirs')

    await juliet.expectSeen('message', { id: 'from-ours', from: romeo.fullJid })
    await romeo.expectSeen('message', { id: 'from-theirs', from: juliet.fullJid })
  })
})

describe.skipIf(missing !== undefined)('A server at a configured address', () => {
  let federation: Federation | undefined

  afterEach(() => federation?.[Symbol.asyncDispose]())

  test('is reached there, whatever DNS says', async () => {
    federation = await Federation.start('certificate')
    const theirs = await federation.add('prosody')
    await federation.addOurs({ domains: { [THEIRS]: { address: `127.0.0.1:${theirs.place.ports.server}` } } })
    federation.neighbourhood.dns.names.delete(plain(THEIRS))
    const [romeo, juliet] = await Promise.all([federation.arrive('romeo', OURS), federation.arrive('juliet', THEIRS)])

    romeo.say(juliet.fullJid, 'wherever')

    await juliet.expectSeen('message', { id: 'wherever' })
  })
})

describe.skipIf(missing !== undefined)('A domain that is an IP address', () => {
  let federation: Federation
  let theirs: FederatedServer

  beforeAll(async () => {
    federation = await Federation.start('dialback', 'heliograph')
    theirs = await startProsody(federation.neighbourhood, ADDRESS, ADDRESS_LINES)
    federation.neighbourhood.dns.names.delete(plain(ADDRESS))
  }, START_MS)
  afterAll(async () => {
    await federation?.[Symbol.asyncDispose]()
    await theirs?.remove()
  })

  test('is connected to at that address, and its server is believed by dialback', async () => {
    const romeo = await federation.arrive('romeo', OURS)
    const juliet = await Person.arrive(theirs.place.ports.client, `juliet@${ADDRESS}`)
    onTestFinished(() => { juliet.leave() })

    romeo.say(juliet.fullJid, 'from-ours')
    await juliet.expectSeen('message', { id: 'from-ours', from: romeo.fullJid })
    juliet.say(romeo.fullJid, 'from-theirs')
    await romeo.expectSeen('message', { id: 'from-theirs', from: juliet.fullJid })

    expect(federation.neighbourhood.dns.asked.filter(name => name.includes(ADDRESS))).toEqual([])
  })

  test('is an error for the sender where it is none that an address can be', async () => {
    const romeo = await federation.arrive('romeo', OURS)

    romeo.say('juliet@[127.0.0.1]', 'in-brackets')

    await romeo.expectSeen('message', { type: 'error', id: 'in-brackets' }, /<jid-malformed /)
  })
})
