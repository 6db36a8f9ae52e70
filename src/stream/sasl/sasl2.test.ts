import { describe, expect, test } from 'vitest'
import { loginContext } from '../../../test/support/world/login-context.ts'
import { ScramClient } from '../../../test/support/wire/scram-client.ts'
import { el } from '../../xml/element.ts'
import { StreamError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { Authenticator } from './authenticator.ts'
import { bindFeature, bound } from '../bind2.ts'
import { LoginLimits } from './login-limits.ts'
import { Sasl } from './sasl.ts'
import { authenticationFeature, Sasl2 } from './sasl2.ts'
import type { Element } from '../../xml/element.ts'
import type { LoginContext } from './exchange.ts'
import type { CompleteLogin, LoginRequest } from './sasl2.ts'

const NS = 'urn:xmpp:sasl:2'
const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const CLIENT_ID = 'd4565fa7-4d72-4749-b3d3-740edbf87770'

const encode = (text: string): string => Buffer.from(text).toString('base64')
const RIGHT = encode('\0user\0pencil')
const child = (name: string, text?: string): Element => el(name, undefined, {}, text)
const initial = (text?: string): Element => child('initial-response', text)
const authenticate = (mechanism: string, ...children: readonly Element[]): Element =>
  el('authenticate', NS, { mechanism }, ...children)
const response = (text: string): Element => el('response', NS, {}, text)
const userAgent = (id: string | undefined, ...children: readonly Element[]): Element =>
  el('user-agent', undefined, { id }, ...children)

/** A stream that binds where that is asked for, and what it was asked. */
function newStream (changes: Partial<LoginContext> = {}) {
  const requests: LoginRequest[] = []
  const complete: CompleteLogin = async ({ jid }, request) => {
    requests.push(request)
    return request.bind ? { jid: jid.withResource('balcony'), elements: [bound([])] } : { jid, elements: [] }
  }
  const authenticator = new Authenticator({
    ...loginContext(changes), limits: new LoginLimits(0), address: '192.0.2.1', isGone: () => false,
  })
  return { sasl: new Sasl(authenticator), sasl2: new Sasl2(authenticator, complete), requests }
}

describe('the feature', () => {
  const offer = { isEncrypted: true, mechanisms: ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'], bindings: [] }

  test('lists the mechanisms and what can be done inline', () => {
    const feature = authenticationFeature(offer, [bindFeature(['urn:xmpp:sm:3'])])

    expect(feature.toString()).toBe(`<authentication xmlns='${NS}'>`
      + '<mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>SCRAM-SHA-1</mechanism>'
      + `<inline><bind xmlns='urn:xmpp:bind:0'><inline><feature var='urn:xmpp:sm:3'/></inline></bind></inline>`
      + '</authentication>')
  })

  test('has no list of nothing', () => {
    expect(authenticationFeature(offer, []).toString()).not.toContain('inline')
  })
})

describe('a login', () => {
  test('without more ends with the bare address', async () => {
    const { sasl2 } = newStream()
    const { reply, login } = await sasl2.take(authenticate('PLAIN', initial(RIGHT)))

    expect(reply.toString()).toBe(`<success xmlns='${NS}'>`
      + '<authorization-identifier>user@localhost</authorization-identifier></success>')
    expect(login).toEqual({ jid: Jid.parse('user@localhost'), anonymous: false })
  })

  test('by SCRAM that binds ends with the server\'s proof, the full address and the binding', async () => {
    const { sasl2, requests } = newStream()
    const client = new ScramClient({ digest: 'sha1', user: 'user', password: 'pencil', nonce: 'abc' })
    const { reply: challenge } = await sasl2.take(authenticate('SCRAM-SHA-1',
      initial(client.first().toString('base64')),
      userAgent(CLIENT_ID, child('software', 'AwesomeXMPP'), child('device', 'Kiva\'s Phone')),
      el('bind', 'urn:xmpp:bind:0', {}, child('tag', 'AwesomeXMPP'), el('enable', 'urn:xmpp:carbons:2')),
      el('resume', 'urn:xmpp:sm:3', { previd: 'x' })))
    expect(challenge.getName()).toBe('challenge')
    expect(requests).toEqual([])
    const final = client.final(Buffer.from(challenge.text(), 'base64')).toString('base64')
    const { reply } = await sasl2.take(response(final))

    expect(reply.toString()).toBe(`<success xmlns='${NS}'>`
      + `<additional-data>${encode(client.serverFinal)}</additional-data>`
      + '<authorization-identifier>user@localhost/balcony</authorization-identifier>'
      + `<bound xmlns='urn:xmpp:bind:0'/></success>`)
    expect(requests).toHaveLength(1)
    expect(requests[0]?.userAgent).toEqual({ id: CLIENT_ID, software: 'AwesomeXMPP', device: 'Kiva\'s Phone' })
    expect(requests[0]?.bind?.tag).toBe('AwesomeXMPP')
    expect(requests[0]?.bind?.features.map(String)).toEqual([`<enable xmlns='urn:xmpp:carbons:2'/>`])
    expect(requests[0]?.inline.map(String)).toEqual([`<resume xmlns='urn:xmpp:sm:3' previd='x'/>`])
  })

  test('may begin without an initial response', async () => {
    const { sasl2 } = newStream()
    const { reply } = await sasl2.take(authenticate('PLAIN'))

    expect(reply.getName()).toBe('challenge')
    expect(reply.text()).toBe('')
    expect((await sasl2.take(response(RIGHT))).login).toBeDefined()
  })

  test('may have white space in its data', async () => {
    const { sasl2 } = newStream()

    expect((await sasl2.take(authenticate('PLAIN', initial(`\n  ${RIGHT}\n`)))).login).toBeDefined()
  })

  test('after one that failed does only what it asks for itself', async () => {
    const { sasl2, requests } = newStream()
    await sasl2.take(authenticate('PLAIN', initial(encode('\0user\0pen')), el('bind', 'urn:xmpp:bind:0')))
    await sasl2.take(authenticate('PLAIN', initial(RIGHT)))

    expect(requests).toEqual([{ userAgent: undefined, bind: undefined, inline: [] }])
  })

  test('needs no user agent with an id', async () => {
    const { sasl2, requests } = newStream()
    await sasl2.take(authenticate('PLAIN', initial(RIGHT), userAgent(undefined)))

    expect(requests[0]?.userAgent).toEqual({ id: undefined, software: undefined, device: undefined })
  })

  test('is the last', async () => {
    const { sasl2 } = newStream()
    await sasl2.take(authenticate('PLAIN', initial(RIGHT)))

    await expect(sasl2.take(authenticate('PLAIN', initial(RIGHT)))).rejects.toBeInstanceOf(StreamError)
  })
})

describe('a failure', () => {
  const scram = authenticate('SCRAM-SHA-1', initial(encode('n,,n=user,r=abc')))

  test.each([
    ['not-authorized', 'a wrong password', [authenticate('PLAIN', initial(encode('\0user\0pen')))]],
    ['invalid-mechanism', 'a mechanism that is not offered', [authenticate('CRAM-MD5')]],
    ['invalid-mechanism', 'no mechanism', [el('authenticate', NS, {}, initial(RIGHT))]],
    ['incorrect-encoding', 'base 64 that is none', [authenticate('PLAIN', initial('='))]],
    ['malformed-request', 'an initial response that is empty', [authenticate('PLAIN', initial())]],
    ['aborted', 'an abort', [scram, el('abort', NS)]],
  ])('says %s of %s, and does nothing of what was asked', async (condition, _what, elements) => {
    const { sasl2, requests } = newStream()
    let reply = ''
    for (const element of elements) reply = (await sasl2.take(element)).reply.toString()

    expect(reply).toBe(`<failure xmlns='${NS}'><${condition} xmlns='${NS_SASL}'/></failure>`)
    expect(requests).toEqual([])
  })

  test.each(['', 'x', CLIENT_ID.slice(1), `${CLIENT_ID}0`])(
    'says malformed-request of a user agent\'s id %j', async id => {
      const { reply } = await newStream().sasl2.take(authenticate('PLAIN', initial(RIGHT), userAgent(id)))

      expect(reply.getChild('malformed-request', NS_SASL)).toBeDefined()
      expect(reply.getChildText('text', NS)).toContain('UUID')
    })

  test('says encryption-required without TLS', async () => {
    const { reply } = await newStream({ secure: undefined }).sasl2.take(scram)

    expect(reply.getChild('encryption-required', NS_SASL)).toBeDefined()
  })

  test('says malformed-request of a response to nothing, and to the other profile', async () => {
    const { sasl, sasl2 } = newStream()
    const first = await sasl2.take(response(RIGHT))
    await sasl.take(el('auth', NS_SASL, { mechanism: 'PLAIN' }))
    const second = await sasl2.take(response(RIGHT))

    expect(first.reply.getChild('malformed-request', NS_SASL)).toBeDefined()
    expect(second.reply.getChild('malformed-request', NS_SASL)).toBeDefined()
  })

  test('is the end of the stream the third time, in whichever profile', async () => {
    const { sasl, sasl2 } = newStream()
    await sasl2.take(authenticate('X'))
    await sasl.take(el('auth', NS_SASL, { mechanism: 'X' }))
    const { reply, end } = await sasl2.take(authenticate('X'))

    expect(reply.getName()).toBe('failure')
    expect(end).toMatchObject({ condition: 'policy-violation' })
  })
})

test.each([
  ['another attempt', authenticate('PLAIN', initial(RIGHT))],
  ['an element of the server\'s', el('challenge', NS)],
  ['the next task', el('next', NS)],
])('%s in the middle of an attempt ends the stream', async (_what, element) => {
  const { sasl2 } = newStream()
  await sasl2.take(authenticate('SCRAM-SHA-1', initial(encode('n,,n=user,r=abc'))))

  await expect(sasl2.take(element)).rejects.toMatchObject({ name: 'StreamError', condition: 'policy-violation' })
})
