/** XEP-0045 §5.1: roles, which last for a visit, what they may do, and who may change them: the section's tables. */
import type { StanzaErrorCondition } from '../../xmpp/errors.ts'
import type { Affiliation, OccupantRole, Role } from '../../xmpp/muc.ts'
import { isAtLeast } from './affiliation.ts'

/** Role and affiliation, as the rules of §5 need them. */
export interface Standing { readonly role: Role, readonly affiliation: Affiliation }

/** From the least to the most. */
export const OCCUPANT_ROLES: readonly OccupantRole[] = ['visitor', 'participant', 'moderator']

/** The role that a text names. */
export function roleOf (text: string | undefined): Role | undefined {
  return text === 'none' ? text : OCCUPANT_ROLES.find(role => role === text)
}

/** §5.1.2: the initial role of an occupant. */
export function defaultRole (affiliation: Affiliation, isModerated: boolean): OccupantRole {
  if (isAtLeast(affiliation, 'admin')) return 'moderator'
  return isModerated && affiliation === 'none' ? 'visitor' : 'participant'
}

/**
 * §5.1.3: the role after a change of affiliation: an admin moderates, a member speaks, and who was an admin is as
 * others.
 */
export function roleAfter (
  role: OccupantRole,
  before: Affiliation,
  after: Affiliation,
  isModerated: boolean,
): OccupantRole {
  if (isAtLeast(after, 'admin')) return 'moderator'
  if (isAtLeast(before, 'admin')) return defaultRole(after, isModerated)
  return after === 'member' && role === 'visitor' ? 'participant' : role
}

/** §5.1.1: whether a message to all may be sent; in a room that is not moderated visitors have voice too. */
export function hasVoice (role: Role, isModerated: boolean): boolean {
  return role === 'participant' || role === 'moderator' || (role === 'visitor' && !isModerated)
}

/** §5.1.3: why an actor may not change an occupant's role; undefined where allowed. */
export function refuseRole (actor: Standing, subject: Standing, to: Role): StanzaErrorCondition | undefined {
  if (actor.role !== 'moderator') return 'forbidden'
  if (to === 'none') return refuseKick(actor, subject)
  if (to === 'moderator') return isAtLeast(actor.affiliation, 'admin') ? undefined : 'forbidden' // §9.6
  if (isAtLeast(subject.affiliation, 'admin')) return 'not-allowed' // §8.4 and §9.7
  if (subject.role === 'moderator') return isAtLeast(actor.affiliation, 'admin') ? undefined : 'forbidden' // §9.7
  // §8.4: not from an equal of the actor; two users without affiliation don't count as equals.
  const isRevoked = to === 'visitor' && subject.affiliation !== 'none' &&
    isAtLeast(subject.affiliation, actor.affiliation)
  return isRevoked ? 'not-allowed' : undefined
}

// §8.2, and §5.1.3: a moderator is kicked by an admin or owner.
function refuseKick (actor: Standing, subject: Standing): StanzaErrorCondition | undefined {
  if (!isAtLeast(actor.affiliation, subject.affiliation)) return 'not-allowed'
  return subject.role === 'moderator' && !isAtLeast(actor.affiliation, 'admin') ? 'not-allowed' : undefined
}
