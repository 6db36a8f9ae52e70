import { describe, expect, test } from 'vitest'
import { loginContext, SECURE } from '../../../test/support/world/login-context.ts'
import { bindingFeature } from './channel-binding.ts'
import { makeOffer, startExchange } from './mechanisms.ts'

const BOUND = ['SCRAM-SHA-512-PLUS', 'SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS']
const UNBOUND = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1']

describe('what a stream offers', () => {
  test('is SCRAM only where it is not encrypted', () => {
    const offer = makeOffer({ secure: undefined, isEncrypted: false, allowsAnonymous: false })

    expect(offer).toEqual({ isEncrypted: false, mechanisms: UNBOUND, bindings: [] })
    expect(bindingFeature(offer.bindings)).toBeUndefined()
  })

  test('is SCRAM with channel binding, and PLAIN, within TLS', () => {
    const offer = makeOffer({ secure: SECURE, isEncrypted: true, allowsAnonymous: false })

    expect(offer.mechanisms).toEqual([...BOUND, ...UNBOUND, 'PLAIN'])
    expect(bindingFeature(offer.bindings)?.toString()).toBe(`<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>`
      + `<channel-binding type='tls-exporter'/><channel-binding type='tls-server-end-point'/></sasl-channel-binding>`)
  })

  test('is only such binding as the connection can give', () => {
    const secure = { ...SECURE, exporter: () => undefined }
    const offer = makeOffer({ secure, isEncrypted: true, allowsAnonymous: false })

    expect(offer.bindings).toEqual(['tls-server-end-point'])
    expect(offer.mechanisms).toContain('SCRAM-SHA-1-PLUS')
  })

  test('is PLAIN and no channel binding where a proxy ends TLS', () => {
    const offer = makeOffer({ secure: undefined, isEncrypted: true, allowsAnonymous: false })

    expect(offer.mechanisms).toEqual([...UNBOUND, 'PLAIN'])
  })

  test('is ANONYMOUS where the host allows it', () => {
    const offer = makeOffer({ secure: undefined, isEncrypted: false, allowsAnonymous: true })

    expect(offer.mechanisms).toEqual([...UNBOUND, 'ANONYMOUS'])
  })
})

describe('an attempt', () => {
  test.each([...BOUND, ...UNBOUND, 'PLAIN'])('begins at what is offered: %s', name => {
    expect(startExchange(name, loginContext())).toHaveProperty('respond')
  })

  test.each(['', 'ANONYMOUS', 'CRAM-MD5', 'scram-sha-1', 'EXTERNAL', 'toString'])('fails at what is not: %j', name => {
    expect(() => startExchange(name, loginContext()))
      .toThrow(expect.objectContaining({ condition: 'invalid-mechanism' }))
  })

  test('at PLAIN without TLS is told to encrypt', () => {
    expect(() => startExchange('PLAIN', loginContext({ secure: undefined })))
      .toThrow(expect.objectContaining({ condition: 'encryption-required' }))
  })

  test('at a -PLUS mechanism fails where nothing can be bound', () => {
    expect(() => startExchange('SCRAM-SHA-1-PLUS', loginContext({ secure: undefined })))
      .toThrow(expect.objectContaining({ condition: 'invalid-mechanism' }))
  })
})

describe('ANONYMOUS', () => {
  const start = () => startExchange('ANONYMOUS', loginContext({
    offer: makeOffer({ secure: undefined, isEncrypted: false, allowsAnonymous: true }),
  }))

  test('gives everybody an address of his own', async () => {
    const traces = ['', 'juliet@example.org', 'é'.repeat(255)].map(trace => Buffer.from(trace))
    const steps = await Promise.all(traces.map(trace => start().respond(trace)))

    const logins = steps.map(step => 'success' in step ? step.success : undefined)
    expect(new Set(logins.map(login => login?.jid.toString())).size).toBe(3)
    for (const login of logins) {
      expect(login?.anonymous).toBe(true)
      expect(login?.jid.toString()).toMatch(/^[0-9a-f-]{36}@localhost$/)
    }
  })

  test.each([['is too long', Buffer.alloc(256, 'a')], ['is no UTF-8', Buffer.of(0xff)]])(
    'is malformed where the trace %s', (_how, trace) => {
      expect(() => start().respond(trace)).toThrow(expect.objectContaining({ condition: 'malformed-request' }))
    })
})
