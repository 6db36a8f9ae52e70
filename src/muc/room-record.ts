/** What of a room's occupants outlives its home: a record of each session that is in, from which another node goes on. */
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import { storedStanza } from '../xmpp/stanza.ts'
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

/** Keeps the room's records from now on. */
export function keepRecords (room: Room, records: RoomRecords): void {
  const key = room.jid.toString()
  room.touch = sessions => {
    for (const { jid } of sessions) {
      const session = room.session(jid) // it may be in again
      records.put(key, jid.toString(), session && recordOf(session))
    }
  }
}

function recordOf ({ occupant: { nick, role }, token, presence }: OccupantSession): string {
  return JSON.stringify({ nick, role, token, presence: presence.toXml(NS_CLIENT) } satisfies SessionRecord)
}

/** Brings the occupants back, in the order in which they came. */
export function restoreOccupants (room: Room, records: ReadonlyMap<string, string>): void {
  const all = [...records].map(([address, text]) => ({ jid: Jid.parse(address), record: JSON.parse(text) as SessionRecord })) // `recordOf` wrote it
  all.sort((a, b) => parseInt(a.record.token, 36) - parseInt(b.record.token, 36))
  for (const { jid, record: { nick, role, token, presence } } of all) {
    const last = storedStanza(presence)
    const affiliation = room.affiliationOf(jid)
    if (last.kind !== 'presence' || affiliation === 'outcast') continue
    const occupant = room.occupant(nick) ?? new Occupant(room.jid.withResource(nick), jid.bare, affiliation, role)
    room.enter(occupant, jid, last, token)
  }
}
