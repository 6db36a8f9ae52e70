/**
 * RFC 6121 appendix A: the effect of each subscription stanza on the state between a user and a contact. A state has
 * two halves, the user's subscription to the contact and the contact's to the user, and a stanza changes only one of
 * them: hence the 72 cells of tables 2 to 9 are the 24 below.
 */

export type Subscription = 'none' | 'to' | 'from' | 'both'
export type SubscriptionType = 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed'

/** The subscriptions of a roster item; an unknown contact has `none` and no flags. */
export interface SubscriptionState {
  readonly subscription: Subscription
  /** The user's request is unanswered: `ask='subscribe'`. */
  readonly pendingOut: boolean
  /** The contact's request is unanswered; no roster item shows it. */
  readonly pendingIn: boolean
  /** The user has pre-approved a request (RFC 6121 §3.4); until an `unsubscribed`. */
  readonly approved: boolean
}

/** The outcome of a user's own stanza. */
export interface Sent {
  /** The same object where nothing changed. */
  readonly state: SubscriptionState
  /** Whether the stanza is routed to the contact. */
  readonly route: boolean
  /** Whether the roster item changed as clients see it. */
  readonly push: boolean
}

/** The outcome of a contact's stanza. */
export interface Received {
  /** The same object where nothing changed. */
  readonly state: SubscriptionState
  /** Whether the stanza is delivered to the user. */
  readonly deliver: boolean
  /** Whether the roster item changed as clients see it. */
  readonly push: boolean
  /** The automatic answer to the contact. */
  readonly reply: 'subscribed' | undefined
}

/** One half of a state. */
type Half = 'none' | 'asked' | 'granted'
type Side = 'user' | 'contact'

/** The half that a stanza changes; for each of its values the next one, and whether the stanza is passed on. */
interface Move {
  readonly whose: Side
  readonly none: readonly [Half, boolean]
  readonly asked: readonly [Half, boolean]
  readonly granted: readonly [Half, boolean]
}

type Moves = Readonly<Record<SubscriptionType, Move>>

/** RFC 6121 §A.2.1 to §A.2.4; "SHOULD NOT" is taken as no. */
const SENT: Moves = {
  subscribe: { whose: 'user', none: ['asked', true], asked: ['asked', true], granted: ['granted', true] },
  unsubscribe: { whose: 'user', none: ['none', true], asked: ['none', true], granted: ['none', true] },
  subscribed: { whose: 'contact', none: ['none', false], asked: ['granted', true], granted: ['granted', false] },
  unsubscribed: { whose: 'contact', none: ['none', false], asked: ['none', true], granted: ['none', true] },
}

/** RFC 6121 §A.3.1 to §A.3.4; "SHOULD NOT" is taken as no. */
const RECEIVED: Moves = {
  subscribe: { whose: 'contact', none: ['asked', true], asked: ['asked', false], granted: ['granted', false] },
  unsubscribe: { whose: 'contact', none: ['none', false], asked: ['none', true], granted: ['none', true] },
  subscribed: { whose: 'user', none: ['none', false], asked: ['granted', true], granted: ['granted', false] },
  unsubscribed: { whose: 'user', none: ['none', false], asked: ['none', true], granted: ['none', true] },
}

/** The effect of the user's subscription stanza to the contact. */
export function sendSubscription (state: SubscriptionState, type: SubscriptionType): Sent {
  const { whose, ...from } = SENT[type]
  const half = halfOf(state, whose)
  const [next, route] = from[half]
  const moved = withHalf(state, whose, next)
  const after = withApproval(moved, approvalAfter(state, type, half))
  return { state: after, route, push: isSeen(state, after) }
}

/** The effect of the contact's subscription stanza to the user. */
export function receiveSubscription (state: SubscriptionState, type: SubscriptionType): Received {
  const { whose, ...from } = RECEIVED[type]
  const half = halfOf(state, whose)
  // RFC 6121 §3.1.3 and §3.4.2: an existing or pre-approved subscription is confirmed without asking the user.
  if (type === 'subscribe' && (half === 'granted' || state.approved)) {
    const granted = withHalf(state, whose, 'granted')
    return { state: granted, deliver: false, push: isSeen(state, granted), reply: 'subscribed' }
  }
  const [next, deliver] = from[half]
  const after = withHalf(state, whose, next)
  // §A.3.2 SHOULD answer `unsubscribed`. Left out, since it would undo the request of a contact that asks again at
  // once.
  return { state: after, deliver, push: isSeen(state, after), reply: undefined }
}

/**
 * The stanzas that a contact is sent when it is removed from the roster (RFC 6121 §2.5.2): they end each subscription
 * and each unanswered request.
 */
export function removal (state: SubscriptionState): readonly SubscriptionType[] {
  const types: SubscriptionType[] = []
  if (halfOf(state, 'user') !== 'none') types.push('unsubscribe')
  if (halfOf(state, 'contact') !== 'none') types.push('unsubscribed')
  return types
}

// RFC 6121 §3.4.2 and §3.2.2: `subscribed` without a request is a pre-approval, `unsubscribed` cancels it.
function approvalAfter (state: SubscriptionState, type: SubscriptionType, half: Half): boolean {
  if (type === 'unsubscribed') return false
  return state.approved || (type === 'subscribed' && half === 'none')
}

/** RFC 6121 §2.1.2: the visible parts of the state are `subscription`, `ask` and `approved`. */
function isSeen (before: SubscriptionState, after: SubscriptionState): boolean {
  return before.subscription !== after.subscription || before.pendingOut !== after.pendingOut ||
    before.approved !== after.approved
}

function halfOf ({ subscription, pendingOut, pendingIn }: SubscriptionState, whose: Side): Half {
  if (subscription === 'both' || subscription === (whose === 'user' ? 'to' : 'from')) return 'granted'
  return (whose === 'user' ? pendingOut : pendingIn) ? 'asked' : 'none'
}

function withHalf (state: SubscriptionState, whose: Side, half: Half): SubscriptionState {
  if (halfOf(state, whose) === half) return state
  const to = whose === 'user' ? half : halfOf(state, 'user')
  const from = whose === 'contact' ? half : halfOf(state, 'contact')
  return {
    subscription: subscriptionOf(to === 'granted', from === 'granted'),
    pendingOut: to === 'asked',
    pendingIn: from === 'asked',
    approved: state.approved,
  }
}

function subscriptionOf (to: boolean, from: boolean): Subscription {
  if (to) return from ? 'both' : 'to'
  return from ? 'from' : 'none'
}

function withApproval (state: SubscriptionState, approved: boolean): SubscriptionState {
  return state.approved === approved ? state : { ...state, approved }
}
