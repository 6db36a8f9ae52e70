/** XEP-0077: In-Band Registration. */
import { createHook } from 'node:async_hooks'
import { describe, expect, test } from 'vitest'
import { iq, Jid } from '../../src/extension/api.ts'
import { parseStored } from '../../src/xml/stored.ts'
import type { Stanza } from '../../src/extension/api.ts'
import { verifyPassword } from '../../src/accounts/credentials.ts'
import { brief } from '../../test/support/world/brief.ts'
import { online, subscribes } from '../../test/support/world/online.ts'
import type { World } from '../../test/support/world/world.ts'
import { world } from '../../test/support/world/world.ts'
import { registration } from './index.ts'

const NS = 'jabber:iq:register'
const QUERY = `<query xmlns='${NS}'/>`

function open (perAddress = 0): Promise<World> {
  return world([registration, { open: true, perAddress }])
}

function closed (): Promise<World> {
  return world([registration, { open: false, perAddress: 0 }])
}

function account (username: string, password: string): string {
  return `<query xmlns='${NS}'><username>${username}</username><password>${password}</password></query>`
}

/** What a stream is answered that has not logged in. */
function answer (server: World, type: 'get' | 'set', payload: string, remoteAddress = '192.0.2.1'): Promise<Stanza> {
  const host = Jid.parse('localhost')
  const request = iq(type, { id: 'r1' }, parseStored(payload))
  const peer = { host: 'localhost', remoteAddress, isSecure: true }
  return new Promise(resolve => { void server.core.iqs.answer(request, ['stream'], host, host, peer, resolve) })
}

async function answers (server: World, type: 'get' | 'set', payload: string, remoteAddress?: string): Promise<string> {
  return brief(await answer(server, type, payload, remoteAddress))
}

/** How often keys are derived from a password until the end. */
function countDerivations (): { end (): number } {
  let count = 0
  const hook = createHook({ init (_id, type) { if (type === 'PBKDF2REQUEST') count++ } }).enable()
  return { end () { hook.disable(); return count } }
}

async function isPassword (server: World, jid: string, password: string): Promise<boolean> {
  const credentials = await server.core.store.find(Jid.parse(jid))
  return credentials !== undefined && verifyPassword(credentials, password)
}

describe('registration with a server (§3.1)', () => {
  test('asks for a user name and a password', async () => {
    const form = (await answer(await open(), 'get', QUERY)).payload('query', NS)

    expect(form?.getChildElements().map(child => child.getName())).toEqual(['instructions', 'username', 'password'])
  })

  test('makes an account, under the address as it is prepared', async () => {
    const server = await open()

    expect(await answers(server, 'set', account('Bill', 'Calliope'))).toBe('result: ')

    expect(await isPassword(server, 'bill@localhost', 'Calliope')).toBe(true)
  })

  test.each([
    ['whose name is taken', account('bill', 'other'), 'conflict'],
    ['without a name', account('', 'Calliope'), 'not-acceptable'],
    ['without a password', account('will', ''), 'not-acceptable'],
    ['with neither', QUERY, 'not-acceptable'],
    ['with a name that is none', account('w@x', 'Calliope'), 'not-acceptable'],
    ['with a password that is none', account('will', '\u007F'), 'not-acceptable'],
    ['with a password that is very long', account('will', '\uFDFA'.repeat(80_000)), 'not-acceptable'],
    ['that is to be removed', `<query xmlns='${NS}'><remove/></query>`, 'unexpected-request'],
  ])('does not make an account %s', async (_, payload, condition) => {
    const server = await open()
    await answers(server, 'set', account('bill', 'Calliope'))

    expect(await answers(server, 'set', payload)).toBe(`iq error ${condition}`)

    expect((await server.core.store.list()).map(String)).toEqual(['bill@localhost'])
    expect(await isPassword(server, 'bill@localhost', 'Calliope')).toBe(true)
  })

  test('is not known where it is not open', async () => {
    const server = await closed()

    expect(await answers(server, 'get', QUERY)).toBe('iq error service-unavailable')
    expect(await answers(server, 'set', account('bill', 'Calliope'))).toBe('iq error service-unavailable')

    expect(await server.core.store.list()).toEqual([])
  })

  test.each([true, false])('is a stream feature where it is open: %s', async isOpen => {
    const server = await (isOpen ? open() : closed())
    const peer = { host: 'localhost', remoteAddress: '192.0.2.1', isSecure: true }

    const features = server.core.streams.features('before-auth', peer).map(feature => feature.getNS())

    expect(features.includes('http://jabber.org/features/iq-register')).toBe(isOpen)
  })

  test('is limited for each address, an IPv6 network being one', async () => {
    const server = await open(2)
    const from = (address: string, name: string): Promise<string> => answers(server, 'set', account(name, 'x'), address)

    expect([await from('192.0.2.1', 'a'), await from('192.0.2.1', 'b'), await from('192.0.2.1', 'c')])
      .toEqual(['result: ', 'result: ', 'iq error resource-constraint'])
    expect(await from('192.0.2.2', 'd')).toBe('result: ')
    expect([await from('2001:db8::1', 'e'), await from('2001:db8::2', 'f'), await from('2001:db8::3', 'g')])
      .toEqual(['result: ', 'result: ', 'iq error resource-constraint'])
  })

  test('tells no more names that are taken than accounts may be made, and derives no keys for them', async () => {
    const server = await open(10)
    await answers(server, 'set', account('taken', 'x'), '198.51.100.1')
    const derivations = countDerivations()

    const asked = Array.from({ length: 170 }, () => answers(server, 'set', account('taken', 'x')))
    const heard = await Promise.all(asked)

    expect(heard.filter(one => one === 'iq error conflict')).toHaveLength(10)
    expect(heard.filter(one => one === 'iq error resource-constraint')).toHaveLength(160)
    expect(derivations.end()).toBe(0)
  })

  test('does not tell by what it says of a password whether a name is taken', async () => {
    const server = await open()
    await answers(server, 'set', account('taken', 'x'))

    expect(await answers(server, 'set', account('taken', '\u007F'))).toBe('iq error not-acceptable')
    expect(await answers(server, 'set', account('free', '\u007F'))).toBe('iq error not-acceptable')
  })

  test('counts no password that is refused', async () => {
    const server = await open(1)

    expect(await answers(server, 'set', account('bill', '\u007F'))).toBe('iq error not-acceptable')
    expect(await answers(server, 'set', account('bill', 'Calliope'))).toBe('result: ')
  })

  test('is limited also where many ask at once', async () => {
    const server = await open(2)

    const made = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(name => answers(server, 'set', account(name, 'x'))))

    expect(made.filter(one => one === 'result: ')).toHaveLength(2)
  })
})

describe('whoever has an account', () => {
  test.each([undefined, 'localhost'])('is told so by %s (§3.1)', async to => {
    const server = await closed()
    const bill = await server.client('bill@localhost/globe')

    const form = await bill.asks('get', QUERY, to)

    expect(form?.getChild('registered', NS)).toBeDefined()
    expect(form?.getChildText('username', NS)).toBe('bill')
    expect(form?.getChildText('password', NS)).toBe('')
  })

  test.each([undefined, 'localhost'])('changes the password at %s (§3.3)', async to => {
    const server = await closed()
    const bill = await server.client('bill@localhost/globe')

    expect(await bill.asks('set', account('Bill', 'newpass'), to)).toBeUndefined()

    expect(await isPassword(server, 'bill@localhost', 'newpass')).toBe(true)
    expect(bill.ended).toBeUndefined()
  })

  test.each([
    ['that is empty', account('bill', ''), 'bad-request'],
    ['without a name', account('', 'newpass'), 'bad-request'],
    ['of another account', account('will', 'newpass'), 'not-allowed'],
    ['that is none', account('bill', '\u007F'), 'not-acceptable'],
  ])('keeps the password when the new one is one %s (§3.3)', async (_, payload, condition) => {
    const server = await closed()
    await server.client('will@localhost/globe')
    const bill = await server.client('bill@localhost/globe')

    await expect(bill.asks('set', payload)).rejects.toThrow(condition)

    expect(await isPassword(server, 'bill@localhost', 'secret')).toBe(true)
    expect(await isPassword(server, 'will@localhost', 'secret')).toBe(true)
  })

  test('changes the password so many times an hour, which others are not held up by', async () => {
    const server = await closed()
    const bill = await server.client('bill@localhost/globe')
    const will = await server.client('will@localhost/globe')
    const derivations = countDerivations()

    const asked = await Promise.allSettled(
      Array.from({ length: 30 }, (_, n) => bill.asks('set', account('bill', `new${n}`))),
    )

    expect(asked.filter(one => one.status === 'fulfilled')).toHaveLength(20)
    expect(derivations.end()).toBe(60)
    await expect(bill.asks('set', account('bill', 'one more'))).rejects.toThrow('resource-constraint')
    expect(await will.asks('set', account('will', 'newpass'))).toBeUndefined()
  })

  test.each([undefined, 'localhost'])('removes the account at %s, its streams and subscriptions (§3.2)', async to => {
    const server = await closed()
    const bill = await online(server, 'bill@localhost/globe')
    const other = await server.client('bill@localhost/rose')
    const anne = await online(server, 'anne@localhost/stratford')
    await subscribes(anne, bill)

    expect(await bill.asks('set', `<query xmlns='${NS}'><remove/></query>`, to)).toBeUndefined()

    expect(await anne.receivedInBrief()).toEqual([
      'unavailable from bill@localhost/globe', 'unsubscribed from bill@localhost', 'push bill@localhost none'])
    expect([bill.ended?.condition, other.ended?.condition]).toEqual(['not-authorized', 'not-authorized'])
    expect(await server.core.store.find(Jid.parse('bill@localhost'))).toBeUndefined()
  })

  test('removes it by a request that asks for nothing else (§3.2)', async () => {
    const server = await closed()
    const bill = await server.client('bill@localhost/globe')

    await expect(bill.asks('set', `<query xmlns='${NS}'><remove/><username>bill</username></query>`))
      .rejects.toThrow('bad-request')

    expect(await server.core.store.find(Jid.parse('bill@localhost'))).toBeDefined()
  })

  test('can\'t change somebody else\'s', async () => {
    const server = await closed()
    await server.client('will@localhost/globe')
    const bill = await server.client('bill@localhost/globe')

    await expect(bill.asks('set', `<query xmlns='${NS}'><remove/></query>`, 'will@localhost')).rejects.toThrow()

    expect(await server.core.store.find(Jid.parse('will@localhost'))).toBeDefined()
  })
})
