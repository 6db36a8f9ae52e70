/**
 * The replicated state of a room: a record for each session in the room, the archive number up to which every occupant
 * has been sent messages, and presence changes not yet delivered to all. From it the next owner node restores the
 * occupants, and sends them the rest.
 */
import type { Affiliation, OccupantRole } from '../../xmpp/muc.ts'
import { Jid } from '../../xmpp/jid.ts'
import { neverRejects } from '../../util/background.ts'
import { NS_CLIENT } from '../../xmpp/ns.ts'
import { storedStanza } from '../../xmpp/read-stanza.ts'
import { STATUS } from '../../xmpp/room-status.ts'
import type { RoomRecords } from '../../session/homes.ts'
import { Affiliations } from '../room/affiliations.ts'
import type { Affiliate } from '../room/affiliations.ts'
import { Occupant } from '../room/occupant.ts'
import type { OccupantSession } from '../room/occupant.ts'
import { roleAfter } from '../room/role.ts'
import { keepPendingPresence } from './pending-presence.ts'
import type { PendingPresence } from './pending-presence.ts'
import { Room } from '../room/room.ts'
import type { PresenceCause } from '../presence/user-payload.ts'

/** A session's record; its key is the session's address. */
interface SessionRecord {
  readonly nick: string
  readonly role: OccupantRole
  readonly affiliation: Affiliation
  readonly token: string
  /** Missing in records of older versions. */
  readonly life?: string | undefined
  readonly presence: string
  readonly writtenAt?: number | undefined
}

/** A room that is not in the database yet. */
interface LockedRecord {
  readonly createdAt: number
  readonly creator?: string | undefined
  readonly affiliations: readonly (Omit<Affiliate, 'jid'> & { readonly jid: string })[]
}

/** Among the record's fields, whose other keys are sessions' addresses. */
const POSITION = ''
const LOCKED = '/'
const DESTROYED = '/destroyed'

/** After this time a message that was sent to all is certainly on its way. */
const POSITION_DELAY_MS = 100

/** Writes the room's records from now on. */
export function keepRecords (room: Room, records: RoomRecords): void {
  const key = room.jid.toString()
  const put = (field: string, record: string | undefined): void => {
    if (!room.isOpen) return // another node may have them by now
    // A room without occupants has no records.
    records.put(key, field, room.sessions.size > 0 ? record : undefined)
  }
  const position = keepPosition(room, latest => { put(POSITION, latest) })
  keepPendingPresence(room, put)
  room.touch = sessions => {
    put(POSITION, position())
    put(LOCKED, room.isLocked ? lockedRecordOf(room) : undefined)
    for (const { jid } of sessions) {
      const session = room.session(jid) // it may be in again
      put(jid.toString(), session && recordOf(session))
    }
  }
}

/** Writes the position a while after the message; returns the position. */
function keepPosition (room: Room, put: (position: string) => void): () => string {
  const onTheWay: { readonly number: string, hasArrived: boolean }[] = []
  let latest = String(room.broadcastUpTo ?? 0)
  let timer: NodeJS.Timeout | undefined
  room.noteBroadcast = (number, arrived) => {
    if (!arrived && onTheWay.length === 0) return noteSoon(number)
    const one = { number, hasArrived: !arrived }
    onTheWay.push(one)
    const over = (): void => {
      one.hasArrived = true
      const first = onTheWay.findIndex(({ hasArrived }) => !hasArrived)
      const last = onTheWay.splice(0, first < 0 ? onTheWay.length : first).at(-1)
      if (last) noteSoon(last.number)
    }
    neverRejects(arrived?.then(over)) // `arrived` does not
  }
  function noteSoon (number: string): void {
    latest = number
    timer ??= setTimeout(note, POSITION_DELAY_MS, number).unref()
  }
  function note (number: string): void {
    put(number)
    timer = latest === number ? undefined : setTimeout(note, POSITION_DELAY_MS, latest).unref()
  }
  return () => latest
}

/** The archive number up to which all occupants had received messages at the previous owner node. */
export function positionIn (records: ReadonlyMap<string, string>): number | undefined {
  const position = records.get(POSITION)
  return position === undefined ? undefined : Number(position)
}

function recordOf (
  { occupant: { nick, role, affiliation, life, writtenAt }, token, presence }: OccupantSession,
): string {
  return JSON.stringify(
    { nick, role, affiliation, token, life, presence: presence.toXml(NS_CLIENT), writtenAt } satisfies SessionRecord,
  )
}

function lockedRecordOf ({ createdAt, creator, affiliations }: Room): string {
  const all = [...affiliations].map(affiliate => ({ ...affiliate, jid: affiliate.jid.toString() }))
  return JSON.stringify({ createdAt, creator, affiliations: all } satisfies LockedRecord)
}

/** A room that was still locked (§10.1) at its previous owner node. */
export function lockedRoomIn (jid: Jid, records: ReadonlyMap<string, string>): Room | undefined {
  const text = records.get(LOCKED)
  if (text === undefined || records.has(DESTROYED)) return
  const { createdAt, creator, affiliations } = JSON.parse(text) as LockedRecord // `lockedRecordOf` wrote it
  const all = affiliations.map(affiliate => ({ ...affiliate, jid: Jid.kept(affiliate.jid) }))
  return new Room(jid, { config: new Map(), affiliations: new Affiliations(all), createdAt, creator }, true)
}

/** The room was destroyed (XEP-0045 §10.9), and occupants may not know it yet; `destroyed` is `<destroy/>` as XML. */
export function keepDestroyed ({ jid }: Room, records: RoomRecords, destroyed: string): void {
  records.put(jid.toString(), DESTROYED, destroyed)
}

/** The `<destroy/>` for the occupants of a destroyed room. */
export function destroyedIn (records: ReadonlyMap<string, string>): string | undefined {
  return records.get(DESTROYED)
}

/** A room that its previous owner node destroyed, with its occupants. */
export function destroyedRoom (jid: Jid, records: ReadonlyMap<string, string>): Room {
  const room = new Room(jid, { config: new Map(), affiliations: new Affiliations() })
  restoreOccupants(room, records)
  return room
}

/** XEP-0045 §9.1, §9.4, §10.2: why an occupant may no longer be in the room. */
function removalOf (room: Room, jid: Jid, before: Affiliation): PresenceCause {
  if (room.affiliationOf(jid) === 'outcast')
    return { statuses: [STATUS.banned], reason: room.affiliations.get(jid)?.reason }
  return { statuses: [before === 'none' ? STATUS.nowMembersOnly : STATUS.affiliationLost] }
}

/**
 * Restores the occupants in the order in which they came; returns those whose affiliation has changed since they were
 * last notified.
 */
export function restoreOccupants (room: Room, records: ReadonlyMap<string, string>): readonly PendingPresence[] {
  const all = [...records].filter(([field]) => !field.startsWith(LOCKED) && field !== POSITION).map((
    [address, text],
  ) => ({ jid: Jid.kept(address), record: JSON.parse(text) as SessionRecord })) // `recordOf` wrote it
  all.sort((a, b) => parseInt(a.record.token, 36) - parseInt(b.record.token, 36))
  const pending: PendingPresence[] = []
  for (const { jid, record: { nick, role, affiliation: before, token, life = '', presence, writtenAt } } of all) {
    const last = storedStanza(presence)
    if (last.kind !== 'presence') continue
    const affiliation = room.affiliationOf(jid)
    const isOut = affiliation === 'outcast' || (affiliation === 'none' && room.isMembersOnly)
    if (isOut)
      pending.push({
        nick,
        role,
        life,
        gone: [jid.toString()],
        end: { count: 1, context: removalOf(room, jid, before) },
      })
    if (isOut) continue
    if (affiliation !== before) pending.push({ nick, role, life, gone: [] })
    const now = affiliation === before ? role : roleAfter(role, before, room.givenTo(jid), room.isModerated)
    const occupant = room.occupant(nick) ?? new Occupant(room.jid.withResource(nick), jid.bare, affiliation, now, life)
    occupant.writtenAt ??= writtenAt
    room.enter(occupant, jid, last, token)
  }
  return pending
}
