/**
 * What of a room outlives its home: a record of each session that is in, how far all have been sent what was said, and
 * what they may not have been told of each other. Another node brings the occupants back, and sends them that again.
 */
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT } from '../../xmpp/ns.ts'
import { storedStanza } from '../../xmpp/read-stanza.ts'
import type { RoomRecords } from '../../session/homes.ts'
import type { Affiliation } from '../room/affiliation.ts'
import { Affiliations } from '../room/affiliations.ts'
import type { Affiliate } from '../room/affiliations.ts'
import { Occupant } from '../room/occupant.ts'
import type { OccupantSession } from '../room/occupant.ts'
import { roleAfter } from '../room/role.ts'
import type { OccupantRole } from '../room/role.ts'
import { keepPendingPresence } from './pending-presence.ts'
import type { PendingPresence } from './pending-presence.ts'
import { Room } from '../room/room.ts'
import { STATUS } from '../presence/user-payload.ts'
import type { PresenceContext } from '../presence/user-payload.ts'

/** A session's record; its key is the session's address. */
interface SessionRecord {
  readonly nick: string
  readonly role: OccupantRole
  readonly affiliation: Affiliation
  readonly token: string
  /** Older nodes have not known it. */
  readonly life?: string | undefined
  readonly presence: string
  readonly writtenAt?: number | undefined
}

/** What there is of a room that the database does not know yet. */
interface LockedRecord {
  readonly createdAt: number
  readonly creator?: string | undefined
  readonly affiliations: readonly (Omit<Affiliate, 'jid'> & { readonly jid: string })[]
}

/** Stands where sessions' addresses do, which begin otherwise. */
const POSITION = ''
const LOCKED = '/'
const DESTROYED = '/destroyed'

/** After so long what was sent to all is on its way for sure. */
const SPREAD_MS = 100

/** Keeps the room's records from now on. */
export function keepRecords (room: Room, records: RoomRecords): void {
  const key = room.jid.toString()
  const put = (field: string, record: string | undefined): void => {
    if (!room.isOpen) return // by now another node may have them
    // Where nobody is in nothing is kept.
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

/** How far all have got what was said is noted a while later; gives how far that is. */
function keepPosition (room: Room, put: (position: string) => void): () => string {
  const onTheWay: { readonly id: string, hasArrived: boolean }[] = []
  let latest = String(room.spreadUpTo ?? 0)
  let timer: NodeJS.Timeout | undefined
  room.spread = (id, arrived) => {
    if (!arrived && onTheWay.length === 0) return noteSoon(id)
    const one = { id, hasArrived: !arrived }
    onTheWay.push(one)
    const over = (): void => {
      one.hasArrived = true
      const first = onTheWay.findIndex(({ hasArrived }) => !hasArrived)
      const last = onTheWay.splice(0, first < 0 ? onTheWay.length : first).at(-1)
      if (last) noteSoon(last.id)
    }
    arrived?.then(over, over) // who sends it hears what failed: nothing is to come of it any more
  }
  function noteSoon (id: string): void {
    latest = id
    timer ??= setTimeout(note, SPREAD_MS, id).unref()
  }
  function note (id: string): void {
    put(id)
    timer = latest === id ? undefined : setTimeout(note, SPREAD_MS, latest).unref()
  }
  return () => latest
}

/** Up to which number all that was said has reached all who were in at the home before. */
export function positionIn (records: ReadonlyMap<string, string>): number | undefined {
  const position = records.get(POSITION)
  return position === undefined ? undefined : Number(position)
}

function recordOf ({ occupant: { nick, role, affiliation, life, writtenAt }, token, presence }: OccupantSession): string {
  return JSON.stringify({ nick, role, affiliation, token, life, presence: presence.toXml(NS_CLIENT), writtenAt } satisfies SessionRecord)
}

function lockedRecordOf ({ createdAt, creator, affiliations }: Room): string {
  const all = [...affiliations].map(affiliate => ({ ...affiliate, jid: affiliate.jid.toString() }))
  return JSON.stringify({ createdAt, creator, affiliations: all } satisfies LockedRecord)
}

/** A room that its owner had not configured yet at its home before (§10.1), as it was made there. */
export function lockedRoomIn (jid: Jid, records: ReadonlyMap<string, string>): Room | undefined {
  const text = records.get(LOCKED)
  if (text === undefined || records.has(DESTROYED)) return
  const { createdAt, creator, affiliations } = JSON.parse(text) as LockedRecord // `lockedRecordOf` wrote it
  const all = affiliations.map(affiliate => ({ ...affiliate, jid: Jid.kept(affiliate.jid) }))
  return new Room(jid, { config: new Map(), affiliations: new Affiliations(all), createdAt, creator }, true)
}

/** The room was destroyed (XEP-0045 §10.9), and who is in may not have heard of it; `destroyed` is `<destroy/>` as XML. */
export function keepDestroyed ({ jid }: Room, records: RoomRecords, destroyed: string): void {
  records.put(jid.toString(), DESTROYED, destroyed)
}

/** What those who were in are to hear of the end of a room that was destroyed. */
export function destroyedIn (records: ReadonlyMap<string, string>): string | undefined {
  return records.get(DESTROYED)
}

/** A room that was removed at its home before, with all who were in. */
export function destroyedRoom (jid: Jid, records: ReadonlyMap<string, string>): Room {
  const room = new Room(jid, { config: new Map(), affiliations: new Affiliations() })
  restoreOccupants(room, records)
  return room
}

/** XEP-0045 §9.1, §9.4, §10.2: why somebody may not be in any more who was that. */
function removalOf (room: Room, jid: Jid, before: Affiliation): PresenceContext {
  if (room.affiliationOf(jid) === 'outcast') return { statuses: [STATUS.banned], reason: room.affiliations.get(jid)?.reason }
  return { statuses: [before === 'none' ? STATUS.nowMembersOnly : STATUS.affiliationLost] }
}

/**
 * Brings the occupants back, in the order in which they came, and gives whose affiliation was another when they were
 * told of it last.
 */
export function restoreOccupants (room: Room, records: ReadonlyMap<string, string>): readonly PendingPresence[] {
  const all = [...records].filter(([field]) => !field.startsWith(LOCKED) && field !== POSITION).map(([address, text]) => ({ jid: Jid.kept(address), record: JSON.parse(text) as SessionRecord })) // `recordOf` wrote it
  all.sort((a, b) => parseInt(a.record.token, 36) - parseInt(b.record.token, 36))
  const news: PendingPresence[] = []
  for (const { jid, record: { nick, role, affiliation: before, token, life = '', presence, writtenAt } } of all) {
    const last = storedStanza(presence)
    if (last.kind !== 'presence') continue
    const affiliation = room.affiliationOf(jid)
    const isOut = affiliation === 'outcast' || (affiliation === 'none' && room.isMembersOnly)
    if (isOut) news.push({ nick, role, life, gone: [jid.toString()], end: { count: 1, context: removalOf(room, jid, before) } })
    if (isOut) continue
    if (affiliation !== before) news.push({ nick, role, life, gone: [] })
    const now = affiliation === before ? role : roleAfter(role, before, room.givenTo(jid), room.isModerated)
    const occupant = room.occupant(nick) ?? new Occupant(room.jid.withResource(nick), jid.bare, affiliation, now, life)
    occupant.writtenAt ??= writtenAt
    room.enter(occupant, jid, last, token)
  }
  return news
}
