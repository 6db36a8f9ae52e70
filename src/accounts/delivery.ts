/**
 * RFC 6121 §8.5: the sessions that a stanza for an account goes to, and the fallback where there are none. Where the
 * RFC leaves the choice, a message for the account goes to all sessions of non-negative priority.
 */
import type { Jid } from '../xmpp/jid.ts'
import type { Iq, Message, Presence } from '../xmpp/stanza.ts'

/** A stanza, as the choice needs it. */
export type Incoming =
  | Pick<Message, 'kind' | 'type' | 'to'>
  | Pick<Presence, 'kind' | 'type' | 'to'>
  | Pick<Iq, 'kind' | 'type' | 'to'>

/** A session, as the choice needs it; one that is not available is merely connected. */
export interface Recipient {
  readonly jid: Jid
  readonly available: boolean
  /** RFC 6121 §8.5.2.1.1: never of negative priority. */
  readonly isReachable: boolean
}

export interface Delivery<S extends Recipient> {
  /** May be the given list itself. */
  readonly to: readonly S[]
  /** What to do when `to` is empty: store or else answer, answer service-unavailable, or ignore. */
  readonly otherwise: 'offline' | 'error' | 'ignore' | undefined
}

const KEPT: Delivery<never> = { to: [], otherwise: 'offline' }
const REFUSED: Delivery<never> = { to: [], otherwise: 'error' }
const IGNORED: Delivery<never> = { to: [], otherwise: 'ignore' }

/** Chooses recipients among the sessions of an existing account; `isStored` where its archive has the stanza. */
export function chooseRecipients<S extends Recipient> (
  stanza: Incoming, sessions: readonly S[], isStored = false,
): Delivery<S> {
  const resource = stanza.to?.resource ?? ''
  switch (stanza.kind) {
    case 'message':
      if (resource === '') return messageToAccount(stanza.type, sessions, isStored)
      return toResource(resource, sessions) ?? messageToMissing(stanza.type, sessions, isStored)
    case 'presence': return presence(stanza.type, resource, sessions)
    case 'iq': return iq(stanza.type, resource, sessions)
  }
}

// RFC 6121 §8.5.2.1.1 and §8.5.2.2.1.
function messageToAccount<S extends Recipient> (
  type: Message['type'], sessions: readonly S[], isStored: boolean,
): Delivery<S> {
  switch (type) {
    case 'normal':
    case 'chat': return toAll(sessions, isReachable, KEPT)
    case 'headline': return toAll(sessions, isReachable, IGNORED)
    case 'groupchat': return REFUSED
    case 'error': return error(sessions, isStored)
  }
}

// RFC 6121 §8.5.3.2.1.
function messageToMissing<S extends Recipient> (
  type: Message['type'], sessions: readonly S[], isStored: boolean,
): Delivery<S> {
  switch (type) {
    case 'chat': return toAll(sessions, isReachable, KEPT)
    case 'normal':
    case 'groupchat': return REFUSED
    case 'headline': return IGNORED
    case 'error': return error(sessions, isStored)
  }
}

/** What could not be delivered hours later comes back when the session that sent it may be gone (`Router.giveBack`). */
function error<S extends Recipient> (sessions: readonly S[], isStored: boolean): Delivery<S> {
  return isStored ? toAll(sessions, isReachable, KEPT) : IGNORED
}

function presence<S extends Recipient> (
  type: Presence['type'], resource: string, sessions: readonly S[],
): Delivery<S> {
  // RFC 6121 §8.5.2.1.2 and §8.5.3.1: §3 and §4.3 govern subscriptions and probes.
  if (type !== 'available' && type !== 'unavailable' && type !== 'error') return IGNORED
  return resource === '' ? toAll(sessions, isAvailable, IGNORED) : toResource(resource, sessions) ?? IGNORED
}

function iq<S extends Recipient> (type: Iq['type'], resource: string, sessions: readonly S[]): Delivery<S> {
  // RFC 6121 §8.5.2.1.3: the server answers for the account, or refuses.
  const delivery = resource === '' ? undefined : toResource(resource, sessions)
  // RFC 6121 §8.5.3.2.3, but RFC 6120 §8.2.3: nothing answers a result or an error.
  return delivery ?? (type === 'get' || type === 'set' ? REFUSED : IGNORED)
}

// RFC 6121 §8.5.3.1: available or connected, whatever its priority.
function toResource<S extends Recipient> (resource: string, sessions: readonly S[]): Delivery<S> | undefined {
  for (const session of sessions) {
    if (session.jid.resource === resource) return { to: [session], otherwise: undefined }
  }
}

/** The matching sessions; the given list itself where all match, which is the commonest case. */
function toAll<S extends Recipient> (
  sessions: readonly S[], isWanted: (session: Recipient) => boolean, orElse: Delivery<never>,
): Delivery<S> {
  const to = sessions.every(isWanted) ? sessions : sessions.filter(isWanted)
  return to.length === 0 ? orElse : { to, otherwise: undefined }
}

function isAvailable (session: Recipient): boolean {
  return session.available
}

function isReachable (session: Recipient): boolean {
  return session.isReachable
}
