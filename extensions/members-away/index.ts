/**
 * Group members get messages on sessions that are not in the room, too: as messages of the room, which clients without
 * support show; a member can turn that off by a command (XEP-0050: Ad-Hoc Commands). Each node knows the rooms of its
 * online members, and gets each message once. Offline members find messages in the room's archive. See docs/groups.md.
 */
import { extension, form, inBackground, NS_MUC_USER, StanzaError } from '../../src/extension/api.ts'
import type { ExtensionHost, Jid, RoomView, RoomData, RoomOption, SessionView } from '../../src/extension/api.ts'
import { Distribution } from './distribution.ts'
import { RemoteMembers } from './remote-members.ts'
import { RoomsElsewhere } from './rooms-elsewhere.ts'
import { loadUnwilling, saveChoice } from './store.ts'

const NS = 'urn:heliograph:group:0'
const NODE = `${NS}#members-away`
const FIELD = `{${NS}}members_away`

export const membersAway = extension({
  name: 'members-away',
  xeps: ['0050@1.3.0'],
  setup (host) {
    const isOn = host.rooms.flag({
      name: FIELD, label: 'Members get messages also where they are not in (groups only)', initial: true,
      features: on => on ? [NODE] : [],
    })
    const unwilling = host.rooms.data(loadUnwilling)
    host.when('room.forgotten', (room, account) => { unwilling.of(room).delete(account.toString()) })
    const distribution = new Distribution(host)
    const remoteMembers = new RemoteMembers(host, NS)
    const changed = (room: RoomView, accounts: readonly Jid[]): void => {
      distribution.changed(accounts.filter(isLocal))
      if (accounts.every(isLocal)) return
      inBackground(host.log, 'lookup of members of other servers', remoteMembers.changed(room))
    }
    const isLocal = ({ domain }: Jid): boolean => host.hosts.includes(domain)
    host.disco.feature(NS)
    host.when('room.affiliated', changed)
    offerChoice(host, unwilling, isOn, (room, account) => { changed(room, [account]) })
    knowWhoIsOnline(host, distribution)
    host.on('room', 'fanout', (message, room, sender) => {
      if (!isGroup(room) || !room.get(isOn) || !host.messages.roomPolicy(message).archive) return
      distribution.send(room, message, sender?.account)
      remoteMembers.send(room, message)
    })
    handToDevices(host)
  },
})

/** Only persistent, members-only rooms are groups. */
function isGroup (room: RoomView): boolean {
  return room.isMembersOnly && room.isPersistent
}

function knowWhoIsOnline (host: ExtensionHost, distribution: Distribution): void {
  host.when('session.reachable', ({ account }) => { distribution.cameOnline(account.jid) })
  host.when('session.ended', ({ account }) => {
    if (account.sessions.length === 0) distribution.wentOffline(account.jid)
  })
  host.when('account.movedAway', account => { distribution.wentOffline(account.jid) })
  host.cluster?.replicate({ // its sessions go on here
    save: () => undefined,
    restore: () => {},
    onRestored: account => { if (account.sessions.length > 0) distribution.cameOnline(account.jid) },
  })
  host.when('room.beforeMove', async ({ jid }) => { distribution.forget(jid) })
  host.when('room.movedAway', ({ jid }) => { distribution.forget(jid) })
  host.when('room.ended', async jid => { distribution.forget(jid) })
}

/**
 * A room's message to an account is delivered to each online session that is not in the room. Of rooms elsewhere only
 * those may send one that the account has entered.
 */
function handToDevices (host: ExtensionHost): void {
  const elsewhere = new RoomsElsewhere(host, NODE)
  host.on('receive', 'redirect', ({ type, from, to }, account) => {
    if (type !== 'groupchat' || !to?.isBare || !from) return
    if (!host.rooms.domains.includes(from.domain) && !elsewhere.has(account, from)) return
    return account.sessions.filter(session => session.isReachable && !isIn(session, from.bare))
  })
  // XEP-0045 §7.14 and §8.2: a session that is told so has left the room.
  host.on('write', 'track', (stanza, session) => {
    const { kind, type, from } = stanza
    if (kind !== 'presence' || !from) return
    const isEnd = type === 'error' || (type === 'unavailable' && stanza.has('x', NS_MUC_USER))
    if (isEnd || (type === 'unavailable' && host.rooms.domains.includes(from.domain))) {
      host.accounts.forgetDirected(session, from)
    }
  })
}

/** It has sent presence to enter, and none to leave. */
function isIn ({ directed }: SessionView, room: Jid): boolean {
  for (const jid of directed?.values() ?? []) if (jid.bare.equals(room)) return true
  return false
}

/** A command (XEP-0050) by which members turn this off and on for themselves. */
function offerChoice (
  host: ExtensionHost, unwilling: RoomData<Set<string>>, isOn: RoomOption<boolean>,
  changed: (room: RoomView, account: Jid) => void,
): void {
  const check = (room: RoomView, from: Jid): void => {
    if (!room.isMemberWithin(from)) throw new StanzaError('forbidden', 'only members may do this')
    if (!isGroup(room) || !room.get(isOn)) {
      throw new StanzaError('not-allowed', 'this room sends messages only to its occupants')
    }
  }
  host.rooms.command({
    node: NODE,
    name: 'Messages while I am not in the room',
    form ({ room }, from) {
      check(room, from)
      const isWanted = !unwilling.of(room).has(from.bare.toString()) && !room.affiliations.get(from)?.isUnasked
      return form('form', NODE, [{
        name: 'deliver', type: 'boolean', label: 'Send me messages where I am not in', values: [isWanted ? '1' : '0'],
      }])
    },
    async run (values, { room }, from) {
      check(room, from)
      const [choice = ''] = values.get('deliver') ?? []
      if (!['0', '1', 'true', 'false'].includes(choice)) {
        throw new StanzaError('bad-request', '"deliver" must be true or false')
      }
      const isWanted = choice === '1' || choice === 'true'
      const account = from.bare.toString()
      await saveChoice(host.db, room.jid, account, isWanted)
      if (isWanted) unwilling.of(room).delete(account)
      else unwilling.of(room).add(account)
      if (isWanted) await host.rooms.acceptMembership(room, from.bare)
      changed(room, from.bare)
      return isWanted ? 'Messages are sent to you.' : 'Messages are sent to you only where you are in.'
    },
  })
}
