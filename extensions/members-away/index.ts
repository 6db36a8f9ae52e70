/**
 * A group's members get its messages also on devices that are not in: those that are online, as a message of the room's,
 * which is what clients show that did nothing for it; a member turns it off by a command (XEP-0050: Ad-Hoc Commands). The
 * others find what they missed in the room's archive. See docs/groups.md.
 */
import { extension, form, StanzaError } from '../../src/extension/api.ts'
import type { ExtensionHost, Jid, Room, RoomData, RoomOption } from '../../src/extension/api.ts'
import { Arrivals } from './arrivals.ts'
import { OnlineMembers } from './online-members.ts'

const NS = 'urn:heliograph:group:0'
const NODE = `${NS}#members-away`
const FIELD = `{${NS}}members_away`

export const membersAway = extension({
  name: 'members-away',
  xeps: ['0050@1.3.0'],
  setup (host) {
    const isOn = host.roomFlag({
      name: FIELD, label: 'Members get messages also where they are not in (groups only)', initial: true,
      features: on => on ? [NODE] : [],
    })
    const unwilling = host.roomData(async (db, room) => {
      const rows = await db.query<{ readonly account: string }>('select account from room_away_off where room = $1', [room.toString()])
      return new Set(rows.map(({ account }) => account))
    })
    const arrivals = new Arrivals()
    host.when('session.reachable', ({ account }) => { arrivals.add(account.jid) })
    host.when('session.ended', () => { arrivals.touch() })
    offerChoice(host, unwilling, isOn, arrivals)
    deliver(host, unwilling, isOn, arrivals)
  },
})

/** Rooms come and go; this is for those that stay, and whose members are known. */
function isGroup (room: Room): boolean {
  return room.isMembersOnly && room.isPersistent
}

function deliver (host: ExtensionHost, unwilling: RoomData<Set<string>>, isOn: RoomOption<boolean>, arrivals: Arrivals): void {
  const known = new WeakMap<Room, OnlineMembers>()
  const parts = {
    arrivals,
    sessionsOf: (account: Jid) => host.sessionsOf(account),
    isWanted: (room: Room, account: Jid) => !unwilling.of(room).has(account.toString()),
  }
  host.on('room', 'fanout', (message, room) => {
    if (!isGroup(room) || !room.get(isOn) || !host.roomWorth(message).store) return
    let members = known.get(room)
    if (!members) known.set(room, members = new OnlineMembers(room, parts))
    const away = members.away()
    if (away.length === 0) return
    void room.outbox.send(away, ({ jid, available, priority }) => {
      if (available && priority >= 0) host.route(message.copyFor(jid))
    })
  })
}

/** A command (XEP-0050) by which a member turns it off for himself, and on again. */
function offerChoice (
  host: ExtensionHost, unwilling: RoomData<Set<string>>, isOn: RoomOption<boolean>, arrivals: Arrivals,
): void {
  const check = (room: Room, from: Jid): void => {
    const affiliation = room.affiliationOf(from)
    if (affiliation === 'none' || affiliation === 'outcast') throw new StanzaError('forbidden', 'only for members')
    if (!isGroup(room) || !room.get(isOn)) throw new StanzaError('not-allowed', 'this room sends messages only to who is in')
  }
  host.roomCommand({
    node: NODE,
    name: 'Messages while I am not in the room',
    form ({ room }, from) {
      check(room, from)
      const isWanted = !unwilling.of(room).has(from.bare.toString())
      return form('form', NODE, [{
        name: 'deliver', type: 'boolean', label: 'Send me messages where I am not in', values: [isWanted ? '1' : '0'],
      }])
    },
    async run (values, { room }, from) {
      check(room, from)
      const [choice = ''] = values.get('deliver') ?? []
      if (!['0', '1', 'true', 'false'].includes(choice)) throw new StanzaError('bad-request', 'deliver is true or false')
      const isWanted = choice === '1' || choice === 'true'
      const account = from.bare.toString()
      await host.db.query(isWanted
        ? 'delete from room_away_off where room = $1 and account = $2'
        : 'insert into room_away_off (room, account) values ($1, $2) on conflict do nothing', [room.jid.toString(), account])
      if (isWanted) unwilling.of(room).delete(account)
      else unwilling.of(room).add(account)
      arrivals.touch()
      return isWanted ? 'Messages are sent to you.' : 'Messages are sent to you only where you are in.'
    },
  })
}
