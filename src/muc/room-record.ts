/**
 * What of a room outlives its home: a record of each session that is in, and how far all have been sent what was said.
 * Another node brings the occupants back, and sends them again what may not have reached them.
 */
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import { storedStanza } from '../xmpp/read-stanza.ts'
import type { RoomRecords } from '../session/homes.ts'
import { Affiliations } from './affiliations.ts'
import type { Affiliate } from './affiliations.ts'
import { Occupant } from './occupant.ts'
import type { OccupantSession, Written } from './occupant.ts'
import type { OccupantRole } from './role.ts'
import { Room } from './room.ts'

/** A session's record; its key is the session's address. */
interface SessionRecord {
  readonly nick: string
  readonly role: OccupantRole
  readonly token: string
  readonly presence: string
  readonly written?: Written | undefined
}

/** What there is of a room that the database does not know yet. */
interface LockedRecord {
  readonly createdAt: number
  readonly affiliations: readonly (Omit<Affiliate, 'jid'> & { readonly jid: string })[]
}

/** Stands where sessions' addresses do. */
const POSITION = ''
const LOCKED = '/'

/** After so long what was sent to all is on its way for sure. */
const SPREAD_MS = 100

/** Keeps the room's records from now on. */
export function keepRecords (room: Room, records: RoomRecords): void {
  const key = room.jid.toString()
  // Where nobody is in nothing is kept.
  const put = (position: string): void => { records.put(key, POSITION, room.sessions.size > 0 ? position : undefined) }
  const position = keepPosition(room, put)
  room.touch = sessions => {
    put(position())
    records.put(key, LOCKED, room.isLocked && room.sessions.size > 0 ? lockedRecordOf(room) : undefined)
    for (const { jid } of sessions) {
      const session = room.session(jid) // it may be in again
      records.put(key, jid.toString(), session && recordOf(session))
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
    void arrived?.then(() => {
      one.hasArrived = true
      const first = onTheWay.findIndex(({ hasArrived }) => !hasArrived)
      const last = onTheWay.splice(0, first < 0 ? onTheWay.length : first).at(-1)
      if (last) noteSoon(last.id)
    })
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

function recordOf ({ occupant: { nick, role, written }, token, presence }: OccupantSession): string {
  return JSON.stringify({ nick, role, token, presence: presence.toXml(NS_CLIENT), written } satisfies SessionRecord)
}

function lockedRecordOf ({ createdAt, affiliations }: Room): string {
  const all = [...affiliations].map(affiliate => ({ ...affiliate, jid: affiliate.jid.toString() }))
  return JSON.stringify({ createdAt, affiliations: all } satisfies LockedRecord)
}

/** A room that its owner had not configured yet at its home before (§10.1), as it was made there. */
export function lockedRoomIn (jid: Jid, records: ReadonlyMap<string, string>): Room | undefined {
  const text = records.get(LOCKED)
  if (text === undefined) return
  const { createdAt, affiliations } = JSON.parse(text) as LockedRecord // `lockedRecordOf` wrote it
  const all = affiliations.map(affiliate => ({ ...affiliate, jid: Jid.parse(affiliate.jid) }))
  return new Room(jid, { config: new Map(), affiliations: new Affiliations(all), createdAt }, true)
}

/** Brings the occupants back, in the order in which they came. */
export function restoreOccupants (room: Room, records: ReadonlyMap<string, string>): void {
  const all = [...records].filter(([address]) => address !== POSITION && address !== LOCKED).map(([address, text]) => ({ jid: Jid.parse(address), record: JSON.parse(text) as SessionRecord })) // `recordOf` wrote it
  all.sort((a, b) => parseInt(a.record.token, 36) - parseInt(b.record.token, 36))
  for (const { jid, record: { nick, role, token, presence, written } } of all) {
    const last = storedStanza(presence)
    const affiliation = room.affiliationOf(jid)
    if (last.kind !== 'presence' || affiliation === 'outcast') continue
    const occupant = room.occupant(nick) ?? new Occupant(room.jid.withResource(nick), jid.bare, affiliation, role)
    occupant.written ??= written
    room.enter(occupant, jid, last, token)
  }
}
