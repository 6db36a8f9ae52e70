/**
 * What of a room outlives its home: a record of each session that is in, and how far all have been sent what was said.
 * Another node brings the occupants back, and sends them again what may not have reached them.
 */
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import { storedStanza } from '../xmpp/read-stanza.ts'
import type { RoomRecords } from '../session/homes.ts'
import { Occupant } from './occupant.ts'
import type { OccupantSession } from './occupant.ts'
import type { OccupantRole } from './role.ts'
import type { Room } from './room.ts'

/** A session's record; its key is the session's address. */
interface SessionRecord {
  readonly nick: string
  readonly role: OccupantRole
  readonly token: string
  readonly presence: string
}

/** Stands where sessions' addresses do. */
const POSITION = ''

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

function recordOf ({ occupant: { nick, role }, token, presence }: OccupantSession): string {
  return JSON.stringify({ nick, role, token, presence: presence.toXml(NS_CLIENT) } satisfies SessionRecord)
}

/** Brings the occupants back, in the order in which they came. */
export function restoreOccupants (room: Room, records: ReadonlyMap<string, string>): void {
  const all = [...records].filter(([address]) => address !== POSITION).map(([address, text]) => ({ jid: Jid.parse(address), record: JSON.parse(text) as SessionRecord })) // `recordOf` wrote it
  all.sort((a, b) => parseInt(a.record.token, 36) - parseInt(b.record.token, 36))
  for (const { jid, record: { nick, role, token, presence } } of all) {
    const last = storedStanza(presence)
    const affiliation = room.affiliationOf(jid)
    if (last.kind !== 'presence' || affiliation === 'outcast') continue
    const occupant = room.occupant(nick) ?? new Occupant(room.jid.withResource(nick), jid.bare, affiliation, role)
    room.enter(occupant, jid, last, token)
  }
}
