/**
 * The rooms of other servers that an account has entered, or has asked to be a member of: what others call a room's
 * message to a bare address is refused (RFC 6121 §8.5.2.1.1). A room is forgotten when the account has left it and is
 * no member.
 */
import { batchedRead, inBackground, leftRoom, NS_MUC_USER, Turns } from '../../src/extension/api.ts'
import type { AccountData, AccountView, ExtensionHost, Jid, Stanza } from '../../src/extension/api.ts'
import { forgetRoomElsewhere, readRoomsElsewhere, saveRoomElsewhere } from './store.ts'

const NS_MUC = 'http://jabber.org/protocol/muc'
const NS_REGISTER = 'jabber:iq:register'
const NS_COMMANDS = 'http://jabber.org/protocol/commands'
/** The most rooms of an account; the one that was entered first is forgotten. */
const MAX_ROOMS = 1000

export class RoomsElsewhere {
  readonly #host: ExtensionHost
  readonly #command: string
  readonly #rooms: AccountData<Set<string>>
  readonly #writing = new Turns()

  /** `command` is the node of the command by which a member asks a room for its messages. */
  constructor (host: ExtensionHost, command: string) {
    this.#host = host
    this.#command = command
    const read = batchedRead((owners: readonly string[]) => readRoomsElsewhere(host.db, owners))
    this.#rooms = host.accounts.data(async (_db, account) => new Set(await read(account.toString())))
    host.on('send', 'seen', (stanza, { account }) => {
      if (stanza.to && this.#asksToCome(stanza, stanza.to)) this.#add(account, stanza.to.bare)
    })
    host.on('write', 'track', (stanza, { account }) => {
      const room = stanza.kind === 'presence' ? leftRoom(stanza) : undefined
      if (room && !isMember(stanza)) this.#remove(account, room.toString())
    })
    host.when('account.beforeMove', async ({ jid }) => { await this.#writing.inTurn(jid.toString(), () => {}) })
  }

  /** Whether a room that is not served here may send the account messages. */
  has (account: AccountView, room: Jid): boolean {
    return this.#rooms.of(account).has(room.bare.toString())
  }

  #asksToCome (stanza: Stanza, to: Jid): boolean {
    if (this.#host.hosts.includes(to.domain) || this.#host.rooms.domains.includes(to.domain)) return false
    if (stanza.kind === 'presence') return stanza.type === 'available' && stanza.has('x', NS_MUC)
    const [asked] = stanza.children
    if (stanza.kind !== 'iq' || stanza.type !== 'set' || !asked) return false
    return asked.ns === NS_REGISTER
      || (asked.ns === NS_COMMANDS && stanza.tree(asked).attrs['node'] === this.#command)
  }

  #add (account: AccountView, room: Jid): void {
    const rooms = this.#rooms.of(account)
    const key = room.toString()
    if (rooms.has(key)) return
    rooms.add(key)
    this.#write(account, () => saveRoomElsewhere(this.#host.db, account.jid, key))
    const [first] = rooms
    if (rooms.size > MAX_ROOMS && first !== undefined) this.#remove(account, first)
  }

  #remove (account: AccountView, room: string): void {
    if (!this.#rooms.of(account).delete(room)) return
    this.#write(account, () => forgetRoomElsewhere(this.#host.db, account.jid, room))
  }

  #write ({ jid, isAnonymous }: AccountView, write: () => Promise<void>): void {
    if (isAnonymous) return // it has no rows
    inBackground(this.#host.log, 'rooms of other servers', this.#writing.inTurn(jid.toString(), write))
  }
}

/** Whether the room says that the recipient is a member still. */
function isMember (presence: Stanza): boolean {
  const affiliation = presence.payload('x', NS_MUC_USER)?.getChild('item')?.attrs['affiliation']
  return affiliation === 'member' || affiliation === 'admin' || affiliation === 'owner'
}
