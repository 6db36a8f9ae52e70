import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loginContext } from '../../../test/support/world/login-context.ts'
import { ScramClient } from '../../../test/support/wire/scram-client.ts'
import { StreamError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { el } from '../../xml/element.ts'
import { Authenticator } from './authenticator.ts'
import { LoginLimits } from './login-limits.ts'
import { mechanismsFeature, Sasl } from './sasl.ts'
import type { LoginContext } from './exchange.ts'

const NS = 'urn:ietf:params:xml:ns:xmpp-sasl'

function newSasl (changes: Partial<LoginContext> = {}): Sasl {
  const options = { ...loginContext(changes), limits: new LoginLimits(0), address: '192.0.2.1', isGone: () => false }
  return new Sasl(new Authenticator(options))
}

const encode = (text: string): string => Buffer.from(text).toString('base64')
const auth = (mechanism: string | undefined, text?: string) => el('auth', NS, { mechanism }, text)
const response = (text?: string) => el('response', NS, {}, text)
const RIGHT = encode('\0user\0pencil')
const WRONG = encode('\0user\0pen')
const refusal = (condition: string): string => `<failure xmlns='${NS}'><${condition}/></failure>`

async function answers (sasl: Sasl, ...elements: readonly ReturnType<typeof el>[]): Promise<readonly string[]> {
  const replies: string[] = []
  for (const element of elements) replies.push((await sasl.take(element)).reply.toString())
  return replies
}

test('the feature lists what is offered', () => {
  expect(mechanismsFeature({ isEncrypted: true, mechanisms: ['SCRAM-SHA-1', 'PLAIN'], bindings: [] }).toString())
    .toBe(`<mechanisms xmlns='${NS}'><mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms>`)
})

describe('a login', () => {
  test('by PLAIN takes one element', async () => {
    const { reply, login, end } = await newSasl().take(auth('PLAIN', RIGHT))

    expect(reply.toString()).toBe(`<success xmlns='${NS}'/>`)
    expect(login).toEqual({ jid: Jid.parse('user@localhost'), anonymous: false })
    expect(end).toBeUndefined()
  })

  test('by SCRAM takes two, and the success holds the server\'s proof', async () => {
    const sasl = newSasl()
    const client = new ScramClient({ digest: 'sha256', user: 'user', password: 'pencil', nonce: 'abc' })
    const { reply: challenge, login: early } = await sasl.take(auth('SCRAM-SHA-256', client.first().toString('base64')))
    const final = client.final(Buffer.from(challenge.text(), 'base64')).toString('base64')
    const { reply, login } = await sasl.take(response(final))

    expect(challenge.getName()).toBe('challenge')
    expect(early).toBeUndefined()
    expect(reply.toString()).toBe(`<success xmlns='${NS}'>${encode(client.serverFinal)}</success>`)
    expect(login?.jid.toString()).toBe('user@localhost')
  })

  test('may begin without an initial response', async () => {
    const sasl = newSasl()
    const { reply } = await sasl.take(auth('PLAIN'))

    expect(reply.getName()).toBe('challenge')
    expect(reply.text()).toBe('')
    expect((await sasl.take(response(RIGHT))).login).toBeDefined()
  })

  test('may begin with an empty one, which is none', async () => {
    expect(await answers(newSasl(), auth('PLAIN', '='))).toEqual([refusal('malformed-request')])
  })

  test('may begin anew in the middle of another', async () => {
    const first = encode('n,,n=user,r=abc')

    expect((await answers(newSasl(), auth('SCRAM-SHA-1', first), auth('PLAIN', RIGHT))).at(-1)).toContain('<success')
  })

  test('may follow two that failed', async () => {
    const replies = await answers(newSasl(), auth('PLAIN', WRONG), auth('X'), auth('PLAIN', RIGHT))

    expect(replies.at(-1)).toContain('<success')
  })

  test('is over when it succeeded: there is no second response', async () => {
    const client = new ScramClient({ digest: 'sha1', user: 'user', password: 'pencil', nonce: 'abc' })
    const sasl = newSasl()
    const { reply } = await sasl.take(auth('SCRAM-SHA-1', client.first().toString('base64')))
    const final = response(client.final(Buffer.from(reply.text(), 'base64')).toString('base64'))
    await sasl.take(final)

    expect((await sasl.take(final)).reply.toString()).toContain('<malformed-request/>')
  })

  test('is the last', async () => {
    const sasl = newSasl()
    await sasl.take(auth('PLAIN', RIGHT))

    await expect(sasl.take(auth('PLAIN', RIGHT))).rejects.toBeInstanceOf(StreamError)
  })
})

describe('a failure', () => {
  const scram = auth('SCRAM-SHA-1', encode('n,,n=user,r=abc'))

  test.each([
    ['not-authorized', 'a wrong password', [auth('PLAIN', WRONG)]],
    ['invalid-mechanism', 'a mechanism that is not offered', [auth('CRAM-MD5', RIGHT)]],
    ['invalid-mechanism', 'no mechanism', [auth(undefined, RIGHT)]],
    ['incorrect-encoding', 'base 64 that is none', [auth('PLAIN', '!')]],
    ['incorrect-encoding', 'white space in base 64', [auth('PLAIN', ` ${RIGHT}`)]],
    ['incorrect-encoding', 'padding in the middle', [auth('PLAIN', 'AA==AAAA')]],
    ['incorrect-encoding', 'base 64 that is none, in a response', [scram, response('=AAA')]],
    ['malformed-request', 'a response that is empty', [scram, response()]],
    ['malformed-request', 'an element of the server\'s', [el('challenge', NS)]],
    ['malformed-request', 'an element that nobody knows', [el('authenticate', NS, { mechanism: 'PLAIN' }, RIGHT)]],
    ['aborted', 'an abort', [scram, el('abort', NS)]],
    ['aborted', 'an abort of nothing', [el('abort', NS)]],
  ])('says %s of %s', async (condition, _what, elements) => {
    expect((await answers(newSasl(), ...elements)).at(-1)).toBe(refusal(condition))
  })

  test('says encryption-required of PLAIN without TLS', async () => {
    const sasl = newSasl({ secure: undefined })

    expect(await answers(sasl, auth('PLAIN', RIGHT))).toEqual([refusal('encryption-required')])
  })

  test('says what is the matter, where that gives nothing away', async () => {
    expect(await answers(newSasl(), response(RIGHT))).toEqual([
      `<failure xmlns='${NS}'><malformed-request/><text xml:lang='en'>There was no challenge</text></failure>`])
  })

  test.each([['an abort', el('abort', NS)], ['a failure', auth('X')], ['a wrong encoding', response('!')]])(
    'ends the attempt: there is no response after %s', async (_what, element) => {
      const client = new ScramClient({ digest: 'sha1', user: 'user', password: 'pencil', nonce: 'abc' })
      const sasl = newSasl()
      const { reply } = await sasl.take(auth('SCRAM-SHA-1', client.first().toString('base64')))
      await sasl.take(element)
      const final = client.final(Buffer.from(reply.text(), 'base64')).toString('base64')

      expect((await sasl.take(response(final))).reply.toString()).toContain('<malformed-request/>')
    })

  test('is the end of the stream the third time', async () => {
    const sasl = newSasl()
    const outcomes = [
      await sasl.take(auth('PLAIN', WRONG)), await sasl.take(el('abort', NS)), await sasl.take(auth('PLAIN', WRONG)),
    ]

    expect(outcomes.map(({ reply }) => reply.getName())).toEqual(['failure', 'failure', 'failure'])
    expect(outcomes.map(({ end }) => end?.condition)).toEqual([undefined, undefined, 'policy-violation'])
  })

  test('tells nothing of whether the account exists', async () => {
    const missing = await answers(newSasl(), auth('PLAIN', encode('\0romeo\0pencil')))

    expect(missing).toEqual(await answers(newSasl(), auth('PLAIN', WRONG)))
  })

  test('is not what a broken database looks like', async () => {
    const fault = new Error('The database is gone')
    const sasl = newSasl({ find: async () => { throw fault } })

    await expect(sasl.take(auth('PLAIN', RIGHT))).rejects.toBe(fault)
    expect(await answers(sasl, response(RIGHT))).toEqual([expect.stringContaining('<malformed-request/>')])
  })
})

test('garbage is answered with failures, and ends in a stream error', async () => {
  const text = fc.oneof(fc.string(), fc.base64String(), fc.constantFrom('=', '', RIGHT, encode('n,,n=user,r=a')))
  const element = fc.record({
    name: fc.constantFrom('auth', 'auth', 'response', 'abort', 'success'),
    mechanism: fc.constantFrom(undefined, 'SCRAM-SHA-1', 'SCRAM-SHA-512-PLUS', 'PLAIN', 'x'),
    text,
  }).map(({ name, mechanism, text: inner }) => el(name, NS, { mechanism }, inner))

  await fc.assert(fc.asyncProperty(fc.array(element, { maxLength: 8 }), async elements => {
    const sasl = newSasl()
    for (const each of elements) {
      const outcome = await sasl.take(each).catch((error: unknown) => error)
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(StreamError)
      else expect(outcome).toHaveProperty('reply')
    }
  }), { numRuns: 200 })
})
