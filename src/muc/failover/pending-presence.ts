/**
 * Presence changes that may not have reached all occupants (XEP-0045 §7.2.2, §7.6, §7.14): part of the room's records
 * until they have, so that the next owner node can send the current state again.
 */
import type { OccupantRole } from '../../xmpp/muc.ts'
import { Jid } from '../../xmpp/jid.ts'
import { neverRejects } from '../../util/background.ts'
import { STATUS } from '../../xmpp/room-status.ts'
import { presence as makePresence } from '../../xmpp/stanza.ts'
import { showAddresses } from '../admin/change-roles.ts'
import type { Muc } from '../context.ts'
import { Occupant, OccupantSession } from '../room/occupant.ts'
import {
  broadcastPresence,
  announceEnd,
  announceSessionEnd,
  announceVisibility,
} from '../presence/occupant-presence.ts'
import type { Room } from '../room/room.ts'
import type { PresenceCause } from '../presence/user-payload.ts'

/** A presence change of one nick. */
export interface PendingPresence {
  readonly nick: string
  /** The role in which the others saw the occupant, if they did. */
  readonly role: OccupantRole
  /** The sessions that no longer have the nick. */
  readonly gone: readonly string[]
  /** The reason, a kick or ban, of the last `count` sessions in `gone`. */
  readonly end?: { readonly count: number, readonly context: PresenceCause } | undefined
  /** The others saw the occupant and no longer do, though it is in the room. */
  readonly isHidden?: boolean | undefined
  /** The account that no longer has the nick, as in `Occupant`. */
  readonly life?: string | undefined
  /** A session that is not sent the change: it has just entered. */
  readonly exceptSession?: string | undefined
}

/** Prefix of a nick among the record's fields, whose other keys are sessions' addresses. */
const PENDING = '/nick/'

/** After the last confirmation a change is kept for this time, for copies that are not confirmed. */
const GRACE_MS = 100

/** The most sessions per nick that are reported again. */
const MAX_GONE = 50

/** From now on keeps presence changes that may not have reached all. */
export function keepPendingPresence (room: Room, put: (field: string, record: string | undefined) => void): void {
  const all = new Map<string, { pending: PendingPresence, underWay: number }>()
  room.changed = ({ nick, life }, { before, gone = [], cause, isHidden = false, told }, arrived) => {
    if (room.sessions.size === 0) return forgetAll() // nobody is left to be told
    const one = all.get(nick) ?? { pending: { nick, role: before, gone: [] }, underWay: 0 }
    const { pending } = one
    const last = gone.map(({ jid }) => jid.toString())
    one.pending = {
      nick, role: room.shows(pending.role) ? pending.role : before,
      gone: [...pending.gone.filter(address => !last.includes(address)), ...last].slice(-MAX_GONE),
      end: last.length === 0 ? pending.end : cause && { count: last.length, context: cause },
      isHidden: isHidden || pending.isHidden, life, exceptSession: told?.jid.toString(),
    }
    one.underWay++
    all.set(nick, one)
    put(PENDING + nick, JSON.stringify(one.pending))
    const forget = (): void => {
      if (--one.underWay > 0 || all.get(nick) !== one) return
      all.delete(nick)
      put(PENDING + nick, undefined)
    }
    const forgetSoon = (): void => { setTimeout(forget, GRACE_MS).unref() }
    if (arrived) neverRejects(arrived.then(forgetSoon)) // `arrived` does not
    else forgetSoon()
  }
  function forgetAll (): void {
    for (const nick of all.keys()) put(PENDING + nick, undefined)
    all.clear()
  }
}

/** The pending presence in records of a room. */
export function pendingPresenceIn (records: ReadonlyMap<string, string>): readonly PendingPresence[] {
  return [...records].filter(([field]) => field.startsWith(PENDING)).map(([, text]) =>
    JSON.parse(text) as PendingPresence
  ) // `keepPendingPresence` wrote it
}

/** Sends all occupants the current state of these nicks, first of those that are no longer in use. */
export function resendPresence (muc: Muc, room: Room, pending: readonly PendingPresence[]): void {
  for (const one of pending) tellEnd(muc, room, one)
  for (const { nick, role, isHidden = false, exceptSession: knows } of pending) {
    const occupant = room.occupant(nick)
    if (!occupant) continue
    broadcastPresence(muc, room, occupant, {}, role, knows === undefined ? undefined : room.session(Jid.parse(knows)))
    if (isHidden && !room.shows(occupant.role)) announceVisibility(muc, room, occupant)
    if (occupant.role === 'moderator' && knows === undefined) showAddresses(muc, room, occupant)
  }
}

function tellEnd (muc: Muc, room: Room, pending: PendingPresence): void {
  const { nick, gone, end } = pending
  const addresses = gone.map(address => Jid.parse(address))
  const [first] = addresses
  if (!first) return
  const former = formerOccupant(room, pending, first.bare, addresses)
  const absent = former.sessions
  room.touch(absent) // an occupant who may not be in by the database's state may have a record
  const isLast = (session: OccupantSession): boolean =>
    !end || gone.lastIndexOf(session.jid.toString()) >= gone.length - end.count
  const cause = end?.context ?? {}
  if (room.occupant(nick)) {
    for (const session of absent) announceSessionEnd(muc, room, session, isLast(session) ? cause : {})
    return
  }
  const heirs = addresses.flatMap(address => room.session(address) ?? [])
  const heir = absent.length === 0 ? heirs[0]?.occupant : undefined
  // §7.6: all of its sessions have another nick.
  if (heir) return announceEnd(muc, room, former, heirs, { statuses: [STATUS.newNick] }, undefined, heir.nick)
  for (const session of absent) if (!isLast(session)) announceSessionEnd(muc, room, session, {})
  announceEnd(muc, room, former, absent.filter(isLast), cause)
}

/** The occupant as the others knew it, with those of its sessions that are not in the room any more. */
function formerOccupant (
  room: Room, { nick, role, life = '' }: PendingPresence, account: Jid, addresses: readonly Jid[],
): Occupant {
  const former = new Occupant(room.jid.withResource(nick), account, room.affiliationOf(account), role, life)
  for (const address of addresses) {
    if (room.session(address)) continue
    former.add(new OccupantSession(address, former, makePresence('unavailable', {}), ''))
  }
  return former
}
