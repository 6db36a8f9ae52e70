import { describe, expect, test } from 'vitest'
import { Jid } from '../xmpp/jid.ts'
import { chooseRecipients } from './delivery.ts'
import type { Delivery, Incoming, Recipient } from './delivery.ts'

const BARE = Jid.parse('juliet@example.com')
const BALCONY = BARE.withResource('balcony')
const CHAMBER = BARE.withResource('chamber')
const GARDEN = BARE.withResource('garden')
const MESSAGE_TYPES = ['normal', 'chat', 'groupchat', 'headline'] as const

/**
 * RFC 6121 §8.5.4, table 1, for an account that exists: after the sessions, what becomes of a message of each type.
 * Where the RFC has a choice (O/E, S/E, M/A) it is the server's: kept, refused but for headlines, and all.
 */
const TABLE_1: readonly (readonly [string, Jid, readonly Recipient[], readonly string[]])[] = [
  // "Account exists, but no active resources"; §8.5.2.2.1, §8.5.3.2.1.
  ['bare, without a session', BARE, [], ['offline', 'offline', 'error', 'ignore']],
  ['full, without a session', BALCONY, [], ['error', 'offline', 'error', 'ignore']],
  ['bare, with a connected session', BARE, [connected(BALCONY)], ['offline', 'offline', 'error', 'ignore']],
  ['full, with another connected session', BALCONY, [connected(CHAMBER)], ['error', 'offline', 'error', 'ignore']],
  // "1+ negative resources but zero non-negative resources"; §8.5.2.1.1, §8.5.3.1, §8.5.3.2.1.
  ['bare, negative', BARE, negative(), ['offline', 'offline', 'error', 'ignore']],
  ['full, negative', BALCONY, [available(BALCONY, -1)], ['balcony', 'balcony', 'balcony', 'balcony']],
  ['full, another negative', BALCONY, [available(CHAMBER, -1)], ['error', 'offline', 'error', 'ignore']],
  // "1 non-negative resource".
  ['bare, one', BARE, [available(BALCONY, 0)], ['balcony', 'balcony', 'error', 'balcony']],
  ['full, one', BALCONY, [available(BALCONY, 0)], ['balcony', 'balcony', 'balcony', 'balcony']],
  ['full, another one', BALCONY, [available(CHAMBER, 0)], ['error', 'chamber', 'error', 'ignore']],
  // "1+ non-negative resources", with one more that is negative and one more that is merely connected.
  ['bare, many', BARE, many(), ['balcony chamber', 'balcony chamber', 'error', 'balcony chamber']],
  ['full, many', CHAMBER, many(), ['chamber', 'chamber', 'chamber', 'chamber']],
  ['full, many others', BARE.withResource('crypt'), many(), ['error', 'balcony chamber', 'error', 'ignore']],
]

describe('a message (RFC 6121 §8.5.4, table 1)', () => {
  const rows = TABLE_1.flatMap(([address, to, sessions, expected]) =>
    MESSAGE_TYPES.map((type, column) => ({ address, to, sessions, type, expected: expected[column] })))

  test.each(rows)('$type to $address: $expected', ({ type, to, sessions, expected }) => {
    expect(outcome({ kind: 'message', type, to }, sessions)).toBe(expected)
  })

  // RFC 6121 §8.5.2.1.1, §8.5.2.2.1 and §8.5.3.2.1.
  test.each([BARE, BARE.withResource('crypt')])('an error to %s is ignored', to => {
    expect(outcome({ kind: 'message', type: 'error', to }, many())).toBe('ignore')
    expect(outcome({ kind: 'message', type: 'error', to }, [])).toBe('ignore')
  })

  // RFC 6121 §8.5.3.1.
  test.each([...MESSAGE_TYPES, 'error'] as const)('%s reaches the resource that is merely connected', type => {
    expect(outcome({ kind: 'message', type, to: GARDEN }, [available(BALCONY, 5), connected(GARDEN)])).toBe('garden')
  })

  // RFC 6121 §8.5.2.1.1 (b).
  test('a lower priority is no reason to leave a session out', () => {
    const sessions = [available(BALCONY, 127), available(CHAMBER, 0)]

    expect(outcome({ kind: 'message', type: 'chat', to: BARE }, sessions)).toBe('balcony chamber')
  })
})

describe('presence', () => {
  // RFC 6121 §8.5.2.1.2, §8.5.2.2.2, §8.5.3.1 and §8.5.3.2.2.
  test.each(['available', 'unavailable', 'error'] as const)('%s goes to all who are available', type => {
    expect(outcome({ kind: 'presence', type, to: BARE }, many())).toBe('balcony chamber attic')
    expect(outcome({ kind: 'presence', type, to: BARE }, [connected(GARDEN)])).toBe('ignore')
    expect(outcome({ kind: 'presence', type, to: BARE }, [])).toBe('ignore')
  })

  test.each(['available', 'unavailable', 'error'] as const)('%s goes to the resource, if it is there', type => {
    expect(outcome({ kind: 'presence', type, to: CHAMBER }, many())).toBe('chamber')
    expect(outcome({ kind: 'presence', type, to: GARDEN }, many())).toBe('garden')
    expect(outcome({ kind: 'presence', type, to: BARE.withResource('crypt') }, many())).toBe('ignore')
  })

  // RFC 6121 §3 and §4.3.2: the server deals with them.
  test.each([
    'subscribe', 'subscribed', 'unsubscribe', 'unsubscribed', 'probe',
  ] as const)('%s goes to no session', type => {
    expect(outcome({ kind: 'presence', type, to: BARE }, many())).toBe('ignore')
    expect(outcome({ kind: 'presence', type, to: CHAMBER }, many())).toBe('ignore')
  })
})

describe('an iq', () => {
  // RFC 6121 §8.5.2.1.3 and §8.5.2.2.3.
  test.each([
    ['get', 'error'], ['set', 'error'], ['result', 'ignore'], ['error', 'ignore'],
  ] as const)('%s for the account goes to no session: %s', (type, expected) => {
    expect(outcome({ kind: 'iq', type, to: BARE }, many())).toBe(expected)
    expect(outcome({ kind: 'iq', type, to: BARE }, [])).toBe(expected)
  })

  // RFC 6121 §8.5.3.1.
  test.each(['get', 'set', 'result', 'error'] as const)('%s goes to the resource, connected or available', type => {
    expect(outcome({ kind: 'iq', type, to: CHAMBER }, many())).toBe('chamber')
    expect(outcome({ kind: 'iq', type, to: GARDEN }, many())).toBe('garden')
  })

  // RFC 6121 §8.5.3.2.3; RFC 6120 §8.2.3: a result or an error is not answered.
  test.each([
    ['get', 'error'], ['set', 'error'], ['result', 'ignore'], ['error', 'ignore'],
  ] as const)('%s for a resource that is not there: %s', (type, expected) => {
    expect(outcome({ kind: 'iq', type, to: BARE.withResource('crypt') }, many())).toBe(expected)
  })
})

/** The resources that get it, or else what is done instead. */
function outcome (stanza: Incoming, sessions: readonly Recipient[]): string | undefined {
  const { to, otherwise }: Delivery<Recipient> = chooseRecipients(stanza, sessions)
  expect(otherwise === undefined).toBe(to.length > 0)
  return otherwise ?? to.map(session => session.jid.resource).join(' ')
}

function many (): readonly Recipient[] {
  return [available(BALCONY, 5), connected(GARDEN), available(CHAMBER, 0), available(BARE.withResource('attic'), -1)]
}

function negative (): readonly Recipient[] {
  return [available(BALCONY, -1), available(CHAMBER, -128)]
}

function available (jid: Jid, priority: number): Recipient {
  return { jid, available: true, isReachable: priority >= 0 }
}

function connected (jid: Jid): Recipient {
  return { jid, available: false, isReachable: false }
}
