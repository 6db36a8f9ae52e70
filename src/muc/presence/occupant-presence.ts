/** XEP-0045 §7.2.2 and §7.7: an occupant's presence, in the variants for the others and for its own sessions. */
import { STATUS } from '../../xmpp/room-status.ts'
import type { OccupantRole } from '../../xmpp/muc.ts'
import { presence as makePresence } from '../../xmpp/stanza.ts'
import type { Presence } from '../../xmpp/stanza.ts'
import { post, postEach } from '../context.ts'
import type { Muc } from '../context.ts'
import { NS_MUC, NS_MUC_USER } from '../ns.ts'
import type { Occupant, OccupantSession } from '../room/occupant.ts'
import type { Room } from '../room/room.ts'
import { writeUserPayload } from './user-payload.ts'
import type { PresenceCause, Item } from './user-payload.ts'

/** A client's presence without the payloads that only the room may send. */
export function cleaned (presence: Presence): Presence {
  return presence.withoutPayload(({ ns }) => ns === NS_MUC || ns.startsWith(`${NS_MUC}#`)).copy()
}

/** The variants of a stanza, with or without real address and self-presence codes: each built at most once. */
class Variants {
  readonly #made: (Presence | undefined)[] = []
  readonly #base: Presence
  readonly #item: Item
  readonly #cause: PresenceCause

  constructor (base: Presence, item: Item, cause: PresenceCause) {
    this.#base = base
    this.#item = item
    this.#cause = cause
  }

  of (isOpen: boolean, isSelf: boolean): Presence {
    const index = (isOpen ? 1 : 0) + (isSelf ? 2 : 0)
    const item = isOpen ? this.#item : { ...this.#item, jid: undefined }
    return this.#made[index] ??= this.#base.withWritten('x', NS_MUC_USER, writeUserPayload(item, this.#cause, isSelf))
  }
}

/** Sends all an occupant's presence; `before` is its role if it has changed, `told` a session that is left out. */
export function broadcastPresence (
  muc: Muc,
  room: Room,
  occupant: Occupant,
  cause: PresenceCause = {},
  before: OccupantRole = occupant.role,
  told?: OccupantSession,
): void {
  occupant.touch()
  const variants = availableVariants(muc, room, occupant, cause)
  const isShown = room.shows(occupant.role)
  const gone = !isShown && room.shows(before) ? unavailableVariants(muc, room, occupant, {}) : undefined
  const { arrived } = postEach(muc, room, room.recipients, session => {
    if (!session.isIn || session === told) return
    const isSelf = session.occupant === occupant
    const seen = isShown || isSelf ? variants : gone
    return seen?.of(room.seesAddresses(session.occupant), isSelf).copyFor(session.jid)
  })
  room.changed(occupant, { before, told }, arrived)
}

/** §10.2: the room's configuration shows or hides the occupant's role from now on. */
export function announceVisibility (muc: Muc, room: Room, occupant: Occupant): void {
  const isShown = room.shows(occupant.role)
  const variants = isShown ? availableVariants(muc, room, occupant, {}) : unavailableVariants(muc, room, occupant, {})
  const { arrived } = postEach(muc, room, room.recipients, session => {
    if (!session.isIn || session.occupant === occupant) return
    return variants.of(room.seesAddresses(session.occupant), false).copyFor(session.jid)
  })
  room.changed(occupant, { before: occupant.role, isHidden: !isShown }, arrived)
}

/** Sends one session its own presence, which ends the list of occupants (§7.2.2). */
export function announceSelf (muc: Muc, room: Room, session: OccupantSession, cause: PresenceCause): void {
  const { occupant, jid } = session
  const self = availableVariants(muc, room, occupant, cause).of(room.seesAddresses(occupant), true)
  postEach(muc, room, [session], () => self.copyFor(jid))
}

/** Sends one session the presence of all other occupants. */
export function sendOccupants (muc: Muc, room: Room, session: OccupantSession): void {
  const others = [...room.occupants.values()].filter(occupant => occupant !== session.occupant)
  postEach(muc, room, others, occupant => {
    if (!session.isIn || room.occupant(occupant.nick) !== occupant || !room.shows(occupant.role)) return
    return shownAs(muc, room, occupant, room.seesAddresses(session.occupant)).copyFor(session.jid)
  })
}

/** Sends an occupant's real address to those who may see it since the room became non-anonymous. */
export function discloseAddress (muc: Muc, room: Room, occupant: Occupant): void {
  postEach(muc, room, room.recipients, session => {
    if (!session.isIn || session.occupant === occupant || session.occupant.role === 'moderator') return
    if (room.occupant(occupant.nick) !== occupant || !room.shows(occupant.role)) return
    return shownAs(muc, room, occupant, room.isNonAnonymous).copyFor(session.jid)
  })
}

function shownAs (muc: Muc, room: Room, occupant: Occupant, isOpen: boolean): Presence {
  const { shown } = occupant
  const make = (): Presence => availableVariants(muc, room, occupant, {}).of(isOpen, false)
  return isOpen ? shown.open ??= make() : shown.anonymous ??= make()
}

/** Tells the remaining occupants, and `gone`, that an occupant has left or lost the nick. */
export function announceEnd (
  muc: Muc,
  room: Room,
  occupant: Occupant,
  gone: readonly OccupantSession[],
  cause: PresenceCause,
  presence?: Presence,
  newNick?: string,
): void {
  const variants = unavailableVariants(muc, room, occupant, cause, presence, newNick)
  const own = postEach(muc, room, gone, session => variants.of(room.seesAddresses(occupant), true).copyFor(session.jid))
  // The list of all is shared: many may go at once.
  const others = room.shows(occupant.role) ? postEach(muc, room, room.recipients, session => {
    if (!session.isIn || gone.includes(session)) return
    return variants.of(room.seesAddresses(session.occupant), false).copyFor(session.jid)
  }) : undefined
  const arrived = own.arrived && others?.arrived
    ? Promise.all([own.arrived, others.arrived])
    : own.arrived ?? others?.arrived
  room.changed(occupant, { before: occupant.role, gone, cause: newNick === undefined ? cause : undefined }, arrived)
}

/** §7.14: tells one session that it has left, while its occupant remains. */
export function announceSessionEnd (
  muc: Muc,
  room: Room,
  session: OccupantSession,
  cause: PresenceCause,
  presence?: Presence,
): void {
  const { occupant, jid } = session
  const gone = unavailableVariants(muc, room, occupant, cause, presence).of(room.seesAddresses(occupant), true)
  const { arrived } = postEach(muc, room, [session], () => gone.copyFor(jid))
  room.changed(occupant, { before: occupant.role, gone: [session], cause }, arrived)
}

function availableVariants (muc: Muc, room: Room, occupant: Occupant, cause: PresenceCause): Variants {
  const { affiliation, role, main } = occupant
  const base = main?.presence ?? makePresence('available', {})
  const shown = muc.stages.room.present(base, room, occupant).withAddress(occupant.jid, undefined)
  return new Variants(shown, { affiliation, role, jid: main?.jid }, cause)
}

function unavailableVariants (
  muc: Muc,
  room: Room,
  occupant: Occupant,
  cause: PresenceCause,
  presence = makePresence('unavailable', {}),
  nick?: string,
): Variants {
  // §7.14; §7.6: with a new nick it keeps its role.
  const { affiliation, role, main } = occupant
  const item = { affiliation, role: nick === undefined ? 'none' as const : role, jid: main?.jid, nick }
  return new Variants(
    muc.stages.room.present(presence, room, occupant).withAddress(occupant.jid, undefined),
    item,
    cause,
  )
}

/** §7.2.18: tells a session that takes itself for an occupant that it is none, with the code for a technical reason. */
export function disown (muc: Muc, { from, to }: Presence): void {
  if (!from || !to) return
  const item = writeUserPayload(
    { affiliation: 'none', role: 'none' }, { statuses: [STATUS.kicked, STATUS.technical] }, true)
  post(muc, makePresence('unavailable', { from: to, to: from }).withWritten('x', NS_MUC_USER, item))
}
