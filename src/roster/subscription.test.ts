import { describe, expect, test } from 'vitest'
import { receiveSubscription, removal, sendSubscription } from './subscription.ts'
import type { Subscription, SubscriptionState, SubscriptionType } from './subscription.ts'

/** RFC 6121 §A.1. */
const STATES: Readonly<Record<string, SubscriptionState>> = {
  'None': state('none'),
  'None + Pending Out': state('none', { pendingOut: true }),
  'None + Pending In': state('none', { pendingIn: true }),
  'None + Pending Out+In': state('none', { pendingOut: true, pendingIn: true }),
  'To': state('to'),
  'To + Pending In': state('to', { pendingIn: true }),
  'From': state('from'),
  'From + Pending Out': state('from', { pendingOut: true }),
  'Both': state('both'),
}

/** RFC 6121 §A.2: existing state, whether it is routed, new state. */
const SENT: Readonly<Record<SubscriptionType, string>> = {
  // §A.2.1, table 2.
  subscribe: `
    None                  | MUST | None + Pending Out
    None + Pending Out    | MUST | no state change
    None + Pending In     | MUST | None + Pending Out+In
    None + Pending Out+In | MUST | no state change
    To                    | MUST | no state change
    To + Pending In       | MUST | no state change
    From                  | MUST | From + Pending Out
    From + Pending Out    | MUST | no state change
    Both                  | MUST | no state change`,
  // §A.2.2, table 3.
  unsubscribe: `
    None                  | MUST | no state change
    None + Pending Out    | MUST | None
    None + Pending In     | MUST | no state change
    None + Pending Out+In | MUST | None + Pending In
    To                    | MUST | None
    To + Pending In       | MUST | None + Pending In
    From                  | MUST | no state change
    From + Pending Out    | MUST | From
    Both                  | MUST | From`,
  // §A.2.3, table 4.
  subscribed: `
    None                  | M.N. | pre-approval
    None + Pending Out    | M.N. | pre-approval
    None + Pending In     | MUST | From
    None + Pending Out+In | MUST | From + Pending Out
    To                    | M.N. | pre-approval
    To + Pending In       | MUST | Both
    From                  | M.N. | no state change
    From + Pending Out    | M.N. | no state change
    Both                  | M.N. | no state change`,
  // §A.2.4, table 5.
  unsubscribed: `
    None                  | S.N. | no state change
    None + Pending Out    | S.N. | no state change
    None + Pending In     | MUST | None
    None + Pending Out+In | MUST | None + Pending Out
    To                    | S.N. | no state change
    To + Pending In       | MUST | To
    From                  | MUST | None
    From + Pending Out    | MUST | None + Pending Out
    Both                  | MUST | To`,
}

/** RFC 6121 §A.3: existing state, whether it is delivered, new state. */
const RECEIVED: Readonly<Record<SubscriptionType, string>> = {
  // §A.3.1, table 6; "reply" is its note 2.
  subscribe: `
    None                  | MUST | None + Pending In
    None + Pending Out    | MUST | None + Pending Out+In
    None + Pending In     | S.N. | no state change
    None + Pending Out+In | S.N. | no state change
    To                    | MUST | To + Pending In
    To + Pending In       | S.N. | no state change
    From                  | S.N. | no state change       | reply
    From + Pending Out    | S.N. | no state change       | reply
    Both                  | S.N. | no state change       | reply`,
  // §A.3.2, table 7.
  unsubscribe: `
    None                  | S.N. | no state change
    None + Pending Out    | S.N. | no state change
    None + Pending In     | MUST | None
    None + Pending Out+In | MUST | None + Pending Out
    To                    | S.N. | no state change
    To + Pending In       | MUST | To
    From                  | MUST | None
    From + Pending Out    | MUST | None + Pending Out
    Both                  | MUST | To`,
  // §A.3.3, table 8.
  subscribed: `
    None                  | S.N. | no state change
    None + Pending Out    | MUST | To
    None + Pending In     | S.N. | no state change
    None + Pending Out+In | MUST | To + Pending In
    To                    | S.N. | no state change
    To + Pending In       | S.N. | no state change
    From                  | S.N. | no state change
    From + Pending Out    | MUST | Both
    Both                  | S.N. | no state change`,
  // §A.3.4, table 9.
  unsubscribed: `
    None                  | S.N. | no state change
    None + Pending Out    | MUST | None
    None + Pending In     | S.N. | no state change
    None + Pending Out+In | MUST | None + Pending In
    To                    | MUST | None
    To + Pending In       | MUST | None + Pending In
    From                  | S.N. | no state change
    From + Pending Out    | MUST | From
    Both                  | MUST | From`,
}

describe('a subscription stanza that a user sends', () => {
  test.each(cells(SENT))('$type in "$before" leads to "$after", routed: $passes', ({ type, before, after, passes }) => {
    const isApproval = after === 'pre-approval'

    const sent = sendSubscription(named(before), type)

    expect(sent).toEqual({
      state: isApproval ? { ...named(before), approved: true } : named(after),
      route: passes,
      push: isApproval || shown(before) !== shown(after),
    })
  })

  test.each(cells(SENT).filter(({ before, after }) => before === after))(
    '$type in "$before" leaves the very state that it found', ({ type, before }) => {
      expect(sendSubscription(named(before), type).state).toBe(named(before))
    })
})

describe('a subscription stanza that a contact sends', () => {
  test.each(cells(RECEIVED))('$type in "$before" leads to "$after", delivered: $passes', cell => {
    const { type, before, after, passes, isAnswered } = cell

    const received = receiveSubscription(named(before), type)

    expect(received).toEqual({
      state: named(after),
      deliver: passes,
      push: shown(before) !== shown(after),
      reply: isAnswered ? 'subscribed' : undefined,
    })
  })

  test.each(cells(RECEIVED).filter(({ before, after }) => before === after))(
    '$type in "$before" leaves the very state that it found', ({ type, before }) => {
      expect(receiveSubscription(named(before), type).state).toBe(named(before))
    })
})

describe('a request that was approved beforehand (RFC 6121 §3.4.2)', () => {
  test.each([
    ['None', 'From'],
    ['None + Pending Out', 'From + Pending Out'],
    ['To', 'Both'],
  ])('is granted in "%s" without asking the user', (before, after) => {
    const approved = sendSubscription(named(before), 'subscribed').state

    const received = receiveSubscription(approved, 'subscribe')

    expect(received).toEqual({
      state: { ...named(after), approved: true }, deliver: false, push: true, reply: 'subscribed',
    })
  })

  test('is approved again without a change', () => {
    const approved = state('none', { approved: true })

    expect(sendSubscription(approved, 'subscribed')).toEqual({ state: approved, route: false, push: false })
  })

  test.each<Subscription>(['none', 'to'])('is approved no more after an unsubscribed, not routed: %s', subscription => {
    const approved = state(subscription, { approved: true })

    const sent = sendSubscription(approved, 'unsubscribed')

    expect(sent).toEqual({ state: state(subscription), route: false, push: true })
  })

  test('stays approved when the contact unsubscribes, and asks anew', () => {
    const { state: after } = receiveSubscription(state('both', { approved: true }), 'unsubscribe')

    expect(after).toEqual(state('to', { approved: true }))
    expect(receiveSubscription(after, 'subscribe').state).toEqual(state('both', { approved: true }))
  })

  test('is not approved by agreeing to a request that was made', () => {
    expect(sendSubscription(named('None + Pending In'), 'subscribed').state.approved).toBe(false)
  })

  test.each(['subscribe', 'unsubscribe'] as const)('stays approved when the user sends %s', type => {
    expect(sendSubscription(state('to', { approved: true }), type).state.approved).toBe(true)
  })
})

describe('removing a contact from the roster (RFC 6121 §2.5.2)', () => {
  test.each<[string, readonly SubscriptionType[]]>([
    ['None', []],
    ['None + Pending Out', ['unsubscribe']],
    ['None + Pending In', ['unsubscribed']],
    ['None + Pending Out+In', ['unsubscribe', 'unsubscribed']],
    ['To', ['unsubscribe']],
    ['To + Pending In', ['unsubscribe', 'unsubscribed']],
    ['From', ['unsubscribed']],
    ['From + Pending Out', ['unsubscribe', 'unsubscribed']],
    ['Both', ['unsubscribe', 'unsubscribed']],
  ])('ends what there is in "%s" by %j', (before, types) => {
    expect(removal(named(before))).toEqual(types)
  })
})

interface Cell {
  readonly type: SubscriptionType
  readonly before: string
  readonly after: string
  readonly passes: boolean
  readonly isAnswered: boolean
}

function cells (tables: Readonly<Record<SubscriptionType, string>>): readonly Cell[] {
  const types = ['subscribe', 'unsubscribe', 'subscribed', 'unsubscribed'] as const
  return types.flatMap(type => tables[type].trim().split('\n').map(row => {
    const [before = '', passes, after = '', note] = row.split('|').map(column => column.trim())
    return {
      type, before, after: after === 'no state change' ? before : after, passes: passes === 'MUST',
      isAnswered: note === 'reply',
    }
  }))
}

/** A state as the roster shows it: without the request that waits for the user. */
function shown (name: string): string {
  return name.replace('Pending Out+In', 'Pending Out').replace(' + Pending In', '')
}

function named (name: string): SubscriptionState {
  const found = STATES[name]
  if (!found) throw new Error(`no such state: ${name}`)
  return found
}

function state (subscription: Subscription, more: Partial<SubscriptionState> = {}): SubscriptionState {
  return { subscription, pendingOut: false, pendingIn: false, approved: false, ...more }
}
