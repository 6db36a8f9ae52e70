/**
 * What of a room outlives its home: a record of each session that is in, and how far all have been sent what was said.
 * Another node brings the occupants back, and sends them again what may not have reached them.
 */
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import { NS_DELAY } from '../xmpp/forward.ts'
import { storedStanza } from '../xmpp/read-stanza.ts'
import type { Message } from '../xmpp/stanza.ts'
import { numberBy } from '../xmpp/stanza-id.ts'
import type { Child } from '../xml/framer.ts'
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
  keepPosition(room, position => { records.put(key, POSITION, position) })
  let isKept = false
  room.touch = sessions => {
    if (!isKept) records.put(key, POSITION, String(lastNumber(room)))
    isKept = true
    for (const { jid } of sessions) {
      const session = room.session(jid) // it may be in again
      records.put(key, jid.toString(), session && recordOf(session))
    }
  }
}

/** What was spread is noted a while later. */
function keepPosition (room: Room, put: (position: string) => void): void {
  let latest = ''
  let timer: NodeJS.Timeout | undefined
  room.spread = id => {
    latest = id
    timer ??= setTimeout(note, SPREAD_MS, id).unref()
  }
  function note (id: string): void {
    put(id)
    timer = latest === id ? undefined : setTimeout(note, SPREAD_MS, latest).unref()
  }
}

/** What may not have been sent to all who are in, in order. */
export function unspread (room: Room, records: ReadonlyMap<string, string>): readonly Message[] {
  const position = Number(records.get(POSITION) ?? 0)
  return room.history.said.flatMap(({ message }) => {
    const number = numberBy(message, room.jid)
    if (number === undefined || number <= position) return []
    return message.withoutPayload(child => isDelay(child) && message.tree(child).attrs['from'] === room.jid.toString()).again()
  })
}

function lastNumber ({ history, jid }: Room): number {
  const last = history.said.at(-1)
  return (last && numberBy(last.message, jid)) ?? 0
}

function isDelay ({ name, ns }: Child): boolean {
  return name === 'delay' && ns === NS_DELAY
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
