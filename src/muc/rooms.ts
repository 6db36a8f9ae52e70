/**
 * The room service of each host, at conference.HOST (XEP-0045): finds and loads rooms, runs the tasks of a room one at
 * a time, and passes each stanza to the dispatcher of its room.
 */
import type { ClusterFacet } from '../extension/facets/cluster.ts'
import type { ExtensionHost } from '../extension/host.ts'
import type { WriteWithAffiliations } from '../extension/points.ts'
import type { StageTable } from '../extension/stages.ts'
import type { Logger } from '../log.ts'
import type { Disco } from '../routing/disco.ts'
import type { IqTable } from '../routing/iq-table.ts'
import type { Destination, Router } from '../routing/router.ts'
import type { DataSlot } from '../session/account.ts'
import type { EventTable } from '../session/events.ts'
import { OwnedInbox } from '../session/owned-inbox.ts'
import type { Arrival, Outcome } from '../session/owned-inbox.ts'
import type { Database } from '../storage/database.ts'
import { RateLimit } from '../util/rate-limit.ts'
import { inBackground } from '../util/background.ts'
import { Shares } from '../util/shares.ts'
import { Turns } from '../util/turns.ts'
import type { ArchiveKeys } from '../xmpp/archive-ids.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Message, Stanza } from '../xmpp/stanza.ts'
import { registerAdminIq } from './admin/admin-iq.ts'
import { Creations } from './presence/creation.ts'
import { shutDown, tellDestroyed } from './admin/destroy.ts'
import { invitationStore } from './messages/invitation-store.ts'
import { accept } from './admin/persist.ts'
import { forgetAccount, forgetAnonymous, forgetLeftOver, forgetRemoved } from './admin/former-accounts.ts'
import type { ForgetAtNodes, Forgetting } from './admin/former-accounts.ts'
import { endIfEmpty } from './presence/leave.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import type { MucLimits } from './limits.ts'
import { RoomRegistry } from './room-registry.ts'
import type { RoomsCluster } from './room-registry.ts'
import { broadcast, broadcastRecovered, sendFromRoom } from './messages/message.ts'
import { roomsDomain } from './context.ts'
import type { Muc, RoomAccounts } from './context.ts'
import { broadcastPresence } from './presence/occupant-presence.ts'
import type { Occupant } from './room/occupant.ts'
import { registerOwnerIq } from './admin/owner-iq.ts'
import { isForAll, RoomDispatcher } from './dispatch.ts'
import { registerRegistration } from './admin/registration.ts'
import { registerRoomDisco } from './disco/room-disco.ts'
import { RoomCommands } from './disco/room-commands.ts'
import { RoomOptions } from './room/room-options.ts'
import { resendPresence } from './failover/pending-presence.ts'
import type { Room } from './room/room.ts'
import { roomStore } from './store.ts'
import { MAX_BYTES, MAX_BYTES_OF_ONE } from './presence/under-way.ts'

export interface RoomsParts {
  readonly router: Router
  readonly stages: StageTable
  readonly iqs: IqTable
  readonly events: EventTable
  readonly disco: Disco
  readonly db: Database
  readonly log: Logger
  readonly hosts: readonly string[]
  readonly accounts: RoomAccounts
  readonly archiveKeys: ArchiveKeys
  readonly limits?: MucLimits | undefined
  /** Undefined on a server that is not part of a cluster. */
  readonly cluster?: RoomsCluster | undefined
}

/** The interval at which rooms retry to forget removed accounts. */
const FORGET_MS = 10_000
/** The interval at which expired invitations are removed. */
const INVITATIONS_MS = 3_600_000
/** The answer of a node whose room has forgotten an account. */
const FORGOTTEN = 'forgotten'

export class Rooms implements Destination {
  readonly #muc: Muc
  readonly #parts: RoomsParts
  readonly #live: RoomRegistry
  readonly #dispatcher: RoomDispatcher
  readonly #inbox: OwnedInbox
  readonly #turns = new Turns()
  readonly #affiliationWriters = new Set<WriteWithAffiliations>()
  #isStopping = false
  /** The ad-hoc commands of rooms. */
  readonly commands = new RoomCommands()

  constructor (parts: RoomsParts) {
    const { limits = DEFAULT_LIMITS, db, router, stages, hosts, events, cluster } = parts
    const options = new RoomOptions(limits)
    this.#parts = parts
    this.#muc = {
      router, stages, hosts, limits, options, log: parts.log, store: roomStore(db, options),
      affiliationWriters: this.#affiliationWriters,
      accounts: parts.accounts, invitations: invitationStore(db),
      invitationRate: new RateLimit(limits.invitationsPerMinute, 60_000), creations: new Creations(),
      underWay: new Shares(MAX_BYTES, MAX_BYTES_OF_ONE),
      countLocked: creator => this.#live.countLocked(creator),
      affiliated: (room, accounts) => { events.emit('room.affiliated', room, accounts) },
      forgotten: (room, account) => events.emitStrictly('room.forgotten', room, account),
      end: (room, destroyed) => this.#dispatcher.end(room, destroyed),
    }
    this.#live = new RoomRegistry({
      store: this.#muc.store, events, cluster, log: parts.log, archiveKeys: parts.archiveKeys,
      say: (room, message) => { this.broadcast(room, message) },
      tellAgain: (room, pending) => { resendPresence(this.#muc, room, pending) },
      tellDestroyed: (room, destroyed) => tellDestroyed(this.#muc, room, destroyed),
    })
    this.#dispatcher = new RoomDispatcher({ ...parts, muc: this.#muc, live: this.#live })
    this.#inbox = new OwnedInbox({
      turns: this.#turns,
      takeNow: (stanza, _to, key) => {
        if (stanza.kind !== 'message' || !isForAll(stanza)) return false
        const room = this.#live.occupied.get(key)
        return room && !room.isLocked ? this.#dispatcher.sendToAll(room, stanza) : false
      },
      elsewhere: key => this.#live.occupied.has(key) ? undefined : this.#live.elsewhere(key),
      takeInTurn: arrival => this.#receiveInTurn(arrival),
    }, cluster?.homes, (stanza, error) => router.bounce(stanza, error))
  }

  /** Registers the iq handlers and features of rooms. */
  register (host: ExtensionHost, forgetAtNodes: ForgetAtNodes): void {
    const { disco } = this.#parts
    disco.addService(({ domain }) => ({ jid: roomsDomain(domain), name: 'Rooms' }))
    registerRoomDisco(host, disco, this.#muc, this.commands)
    this.commands.register(host)
    registerAdminIq(host, this.#muc)
    registerOwnerIq(host, this.#muc)
    registerRegistration(host, this.#muc)
    this.#forgetAccounts(host, forgetAtNodes)
  }

  #forgetAccounts (host: ExtensionHost, atNodes: ForgetAtNodes): void {
    const { db, log } = this.#parts
    const forgetting: Forgetting = {
      db, log, atNodes, inRoom: (room, account) => this.#forgetAt(host.cluster, room, account),
    }
    host.when('account.removed', account => forgetRemoved(forgetting, account))
    host.when('session.ended', ({ account: { jid, isAnonymous, sessions } }) => {
      if (!isAnonymous || sessions.length > 0) return
      inBackground(log, 'forgetting an anonymous account in rooms', forgetAnonymous(forgetting, jid))
    })
    host.every(FORGET_MS, () => forgetLeftOver(forgetting))
    host.every(INVITATIONS_MS, () => this.#muc.invitations.removeOld())
    host.cluster?.answer<readonly [room: string, account: string]>(async (_node, [room, account]) => {
      return await this.#forgetHere(Jid.parse(room), Jid.parse(account)) === undefined ? FORGOTTEN : ''
    })
  }

  async #forgetAt (others: ClusterFacet | undefined, room: Jid, account: Jid): Promise<void> {
    const node = await this.#forgetHere(room, account)
    if (node === undefined || await others?.ask(node, [room.toString(), account.toString()]) === FORGOTTEN) return
    this.#parts.cluster?.homes.forget(room.toString()) // its ownership has moved
    throw new Error(`the home of ${room} could not be asked to forget an account`)
  }

  /** Forgets the account here, or resolves with the node that owns the room. */
  async #forgetHere (room: Jid, account: Jid): Promise<string | undefined> {
    return this.#inRoom(room, found => forgetAccount(this.#muc, found, account))
  }

  /** Removes the temporary rooms that were left in the database when the server stopped. */
  async removeTemporary (): Promise<void> {
    for (const host of this.#parts.hosts) await this.#muc.store.removeTemporary(roomsDomain(host))
  }

  /** The same in a cluster: ends the temporary rooms that no node owns, and of which no node has left a record. */
  async endAbandoned (): Promise<void> {
    for (const host of this.#parts.hosts) {
      for (const jid of await this.#muc.store.listTemporary(roomsDomain(host))) {
        if (this.#isStopping) return
        if (!await this.#live.isAbandoned(jid.toString())) continue
        await this.#inRoom(jid, async room => endIfEmpty(this.#muc, room))
      }
    }
  }

  /** XEP-0045 §11.2: removes all occupants since the service shuts down. */
  async stop (): Promise<void> {
    this.#isStopping = true
    await Promise.all([...this.#live.occupied.values()].map(room => shutDown(this.#muc, room)))
  }

  get options (): RoomOptions {
    return this.#muc.options
  }

  /** Runs `write` in each transaction that stores changes of affiliations; the returned function removes it. */
  writeWithAffiliations (write: WriteWithAffiliations): () => void {
    this.#affiliationWriters.add(write)
    return () => { this.#affiliationWriters.delete(write) }
  }

  /** Adds a value that is loaded with every room; the returned function removes it. */
  addData (slot: DataSlot<unknown>): () => void {
    return this.#live.addData(slot)
  }

  /** The room, loaded if this node can own it; undefined where there is no such room or another node owns it. */
  async room (jid: Jid): Promise<Room | undefined> {
    let found: Room | undefined
    await this.#inRoom(jid, async room => { found = room })
    return found
  }

  /** Runs the task in the room's turn, or resolves with the other node that owns the room. */
  async #inRoom (jid: Jid, task: (room: Room) => Promise<void>): Promise<string | undefined> {
    let node: string | undefined
    await this.#turns.inTurn(jid.bare.toString(), async () => {
      const located = await this.#live.locate(jid.bare)
      if (located && 'node' in located) node = located.node
      if (!located || 'node' in located) return this.#live.settle(jid.bare.toString())
      await task(located.room)
      this.#live.place(located.room)
    })
    return node
  }

  /** Takes ownership of the room unless another node has it. */
  async takeOver (jid: Jid): Promise<void> {
    await this.#inRoom(jid, () => Promise.resolve())
  }

  /** The addresses of the rooms that this node owns. */
  atHome (): readonly string[] {
    return [...this.#live.atHome()].map(({ jid }) => jid.toString())
  }

  /** Whether this node still owns the room, checked in Redis; if not, it is discarded from memory here. */
  verify ({ bare }: Jid): Promise<boolean> {
    return this.#live.verify(bare.toString())
  }

  /** Releases the ownership of a room, with its occupants, for another node. */
  async giveUp (key: string): Promise<void> {
    await this.#turns.inTurn(key, async () => {
      const room = this.#live.peek(key)
      if (room) await this.#live.giveUp(room)
    })
  }

  /** After a lost lease: keeps the room under the new incarnation, or drops it where another node owns it. */
  async reclaimed (key: string, before: string, isOurs: boolean): Promise<void> {
    if (isOurs) await this.#live.renamed(key, before)
    else this.#live.drop(key)
  }

  /** Sends a message to all occupants, behind what the room is sending already. */
  broadcast (room: Room, message: Message): void {
    inBackground(this.#parts.log, 'broadcast in a room', broadcast(this.#muc, room, message))
  }

  /** Sends all occupants a message that proved to be archived, under that number, since `at` (ms since 1970). */
  broadcastRecovered (room: Room, message: Message, number: string, at: number): void {
    broadcastRecovered(this.#muc, room, message, number, at)
  }

  /** Confirms an affiliation that others gave to the account. */
  async acceptMembership (room: Room, account: Jid): Promise<void> {
    await accept(this.#muc, room, account)
  }

  /** Sends an occupant's presence to all again. */
  rebroadcastPresence (room: Room, occupant: Occupant): void {
    broadcastPresence(this.#muc, room, occupant)
  }

  /** Sends all occupants a message of the room itself, which is archived. */
  say (room: Room, message: Message): void | Promise<void> {
    return sendFromRoom(this.#muc, room, message)
  }

  /** Takes a stanza for the service, a room or an occupant. A returned promise means that it is not delivered yet. */
  receive (stanza: Stanza): void | Promise<void> {
    const { to, from } = stanza
    if (!to || !from) return
    return to.local === '' ? this.#dispatcher.receiveForService(stanza, from, to) : this.#inbox.receive(stanza, to)
  }

  /** As `receive`, for the other node: false where this node does not own the room. */
  receiveHere (stanza: Stanza, node: string): Promise<boolean> | boolean {
    return stanza.to && stanza.from ? this.#inbox.receiveHere(stanza, stanza.to, node) : true
  }

  /** Locates the room, whose ownership goes to the node of its rendezvous place, and dispatches the stanza. */
  async #receiveInTurn ({ stanza, to, key, isForwarded, refusedBy }: Arrival): Promise<Outcome> {
    const { from } = stanza
    if (!from) return {}
    try {
      const located = await this.#live.locate(to.bare, isForwarded ? undefined : { isPlace: true, refusedBy })
      if (located && 'node' in located) return located
      if (!located) return await this.#dispatcher.receiveForMissingRoom(stanza, from, to)
      if (stanza.kind === 'message' && isForAll(stanza) && !located.room.isLocked) {
        return { handedOver: this.#dispatcher.sendToAll(located.room, stanza) }
      }
      return await this.#dispatcher.receive(located.room, stanza, from, to)
    } catch (error) {
      this.#dispatcher.refuse(stanza, error)
    } finally {
      this.#live.settle(key)
    }
    return {}
  }
}
