/**
 * The rooms of a host, at conference.HOST (XEP-0045): finds and creates them, sees to it that what happens to a room
 * happens in turn, and takes every stanza to the part that deals with it.
 */
import type { ExtensionHost, RoomVisitor } from '../extension/api.ts'
import type { StageTable } from '../extension/stages.ts'
import type { Logger } from '../log.ts'
import type { Disco } from '../routing/disco.ts'
import type { IqTable } from '../routing/iq-table.ts'
import type { Destination, Router } from '../routing/router.ts'
import type { DataSlot } from '../session/account.ts'
import type { EventTable } from '../session/events.ts'
import { Forwarding } from '../session/forwarding.ts'
import type { Database } from '../storage/database.ts'
import { Turns } from '../util/turns.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Iq, Message, Presence, Stanza } from '../xmpp/stanza.ts'
import { registerAdminIq } from './admin-iq.ts'
import { Affiliations } from './affiliations.ts'
import { registerInvitations } from './direct-invitation.ts'
import { shutDown } from './destroy.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import type { MucLimits } from './limits.ts'
import { checkCreator } from './creation.ts'
import { join } from './join.ts'
import { refuseEntry } from './refuse-entry.ts'
import { LiveRooms } from './live-rooms.ts'
import type { Claimant, RoomsCluster } from './live-rooms.ts'
import { receiveForRoom } from './room-message.ts'
import { announceToAll, broadcast, sendToAll } from './message.ts'
import { post, roomsDomain } from './muc.ts'
import type { Muc } from './muc.ts'
import { NS_MUC } from './ns.ts'
import { announce, disown } from './occupant-presence.ts'
import type { Occupant } from './occupant.ts'
import { forwardIq, refusal } from './occupant-iq.ts'
import { registerOwnerIq } from './owner-iq.ts'
import { registerRegistration } from './registration.ts'
import { registerRoomDisco } from './room-disco.ts'
import { RoomCommands } from './room-commands.ts'
import { RoomOptions } from './room-options.ts'
import { Room } from './room.ts'
import { roomStore } from './store.ts'
import { isSubject } from './subject.ts'
import { receivePresence } from './visit.ts'

export interface RoomsParts {
  readonly router: Router
  readonly stages: StageTable
  readonly iqs: IqTable
  readonly events: EventTable
  readonly disco: Disco
  readonly db: Database
  readonly log: Logger
  readonly hosts: readonly string[]
  readonly limits?: MucLimits | undefined
  /** Where this is one node of many. */
  readonly cluster?: RoomsCluster | undefined
}

/** A stanza on its way to a room. */
interface Arrival {
  readonly stanza: Stanza
  readonly from: Jid
  readonly to: Jid
  readonly key: string
  /** Another home may have dealt with it. */
  readonly isAgain: boolean
  readonly claimant?: Claimant
}

/** The node that is to deal with it; or else what its sender has to wait for, and the room's next turn has not. */
interface Outcome { readonly node?: string, readonly handedOver?: void | Promise<void> }

/** What is not known to be elsewhere is looked for, and is at home where its place is. */
const AT_ITS_PLACE: Claimant = { isPlace: true }

export class Rooms implements Destination {
  readonly #muc: Muc
  readonly #parts: RoomsParts
  readonly #live: LiveRooms
  readonly #forwarding: Forwarding | undefined
  readonly #turns = new Turns()
  /** What people can have done at rooms. */
  readonly commands = new RoomCommands()

  constructor (parts: RoomsParts) {
    const { limits = DEFAULT_LIMITS, db, router, stages, hosts, events, cluster } = parts
    const options = new RoomOptions(limits)
    this.#parts = parts
    this.#muc = { router, stages, hosts, limits, options, store: roomStore(db, options), end: room => this.#end(room) }
    this.#live = new LiveRooms({ store: this.#muc.store, events, cluster })
    this.#forwarding = cluster && new Forwarding(
      cluster.homes, (stanza, refusedBy, isAgain) => this.#receiveAgain(stanza, refusedBy, isAgain),
      (stanza, error) => router.bounce(stanza, error))
  }

  /** What the core itself answers for rooms. */
  register (host: ExtensionHost): void {
    const { disco } = this.#parts
    disco.addService(({ domain }) => ({ jid: roomsDomain(domain), name: 'Rooms' }))
    registerRoomDisco(host, disco, this.#muc, this.commands)
    this.commands.register(host)
    registerAdminIq(host, this.#muc)
    registerOwnerIq(host, this.#muc)
    registerRegistration(host, this.#muc)
    registerInvitations(host, this.#muc, (jid, task) => this.#inRoom(jid, task))
  }

  /** Forgets the rooms that would have ended with their occupants, had the server not ended first. */
  async removeTemporary (): Promise<void> {
    for (const host of this.#parts.hosts) await this.#muc.store.removeTemporary(roomsDomain(host))
  }

  /** §11.2: tells everybody that the server ends. */
  async stop (): Promise<void> {
    await Promise.all([...this.#live.occupied.values()].map(room => shutDown(this.#muc, room)))
  }

  get options (): RoomOptions {
    return this.#muc.options
  }

  /** What is to be loaded with every room from now on; what is returned ends that. */
  addData (slot: DataSlot<unknown>): () => void {
    return this.#live.addData(slot)
  }

  /** The room, in memory from now on while somebody is in; nothing where there is none. */
  async room (jid: Jid): Promise<Room | undefined> {
    let found: Room | undefined
    await this.#inRoom(jid, async room => { found = room })
    return found
  }

  async #inRoom (jid: Jid, task: (room: Room) => Promise<void>): Promise<void> {
    await this.#turns.inTurn(jid.bare.toString(), async () => {
      const located = await this.#live.locate(jid.bare)
      if (!located || 'node' in located) return this.#live.settle(jid.bare.toString())
      await task(located.room)
      this.#live.place(located.room)
    })
  }

  /** Becomes the room's home unless another node is. */
  takeOver (jid: Jid): Promise<void> {
    return this.#inRoom(jid, () => Promise.resolve())
  }

  /** The addresses of the rooms whose home is here. */
  atHome (): readonly string[] {
    return [...this.#live.atHome()].map(({ jid }) => jid.toString())
  }

  /** Whether this is the room's home for sure; where another node is, it is over here. */
  verify ({ bare }: Jid): Promise<boolean> {
    return this.#live.verify(bare.toString())
  }

  /** Lets another node be the home of a room, with all who are in. */
  async giveUp (key: string): Promise<void> {
    await this.#turns.inTurn(key, async () => {
      const room = this.#live.peek(key)
      if (room) await this.#live.giveUp(room)
    })
  }

  /** This node was taken for dead: the room is its own under a new name, or another's. */
  async reclaimed (key: string, before: string, isOurs: boolean): Promise<void> {
    if (isOurs) await this.#live.renamed(key, before)
    else this.#live.drop(key)
  }

  /** Sends a message to all who are in, behind whatever they are sent already. */
  broadcast (room: Room, message: Message): void {
    void broadcast(this.#muc, room, message)
  }

  /** An occupant's presence goes to all again. */
  represent (room: Room, occupant: Occupant): void {
    announce(this.#muc, room, occupant)
  }

  /** The room itself says something to all who are in. */
  announce (room: Room, message: Message): void | Promise<void> {
    return announceToAll(this.#muc, room, message)
  }

  /** A stanza for the service, a room or an occupant. A promise means: not handed over yet. */
  receive (stanza: Stanza): void | Promise<void> {
    const { to, from } = stanza
    if (!to || !from) return
    if (to.local === '') return this.#receiveAtService(stanza, from, to)
    const key = to.bare.toString()
    const room = this.#turns.isBusy(key) ? undefined : this.#live.occupied.get(key)
    if (room && stanza.kind === 'message' && isForAll(stanza)) return this.#sendToAll(room, stanza, false)
    const node = room || this.#turns.isBusy(key) ? undefined : this.#live.elsewhere(key)
    if (node !== undefined) return this.#forwarding?.send(node, key, stanza)
    return this.#receiveInTurn({ stanza, from, to, key, isAgain: false, claimant: AT_ITS_PLACE })
  }

  /** As `receive`, for another node: false where this is not the room's home. */
  receiveHere (stanza: Stanza, isAgain: boolean): Promise<boolean> | boolean {
    const { to, from } = stanza
    if (!to || !from) return true
    const key = to.bare.toString()
    const room = this.#turns.isBusy(key) ? undefined : this.#live.occupied.get(key)
    if (!room || stanza.kind !== 'message' || !isForAll(stanza)) return this.#receiveForOther({ stanza, from, to, key, isAgain })
    const done = this.#sendToAll(room, stanza, isAgain)
    return done ? done.then(() => true) : true
  }

  /** A room's home has sent a message to all, the last of them being that one. */
  reflected (copy: Stanza, to: Jid): void {
    const { from, id } = copy
    if (from && id !== undefined) this.#forwarding?.isDealtWith(from.bare.toString(), sent => sent.id === id && sent.from?.equals(to) === true)
  }

  #receiveAgain (stanza: Stanza, refusedBy: string | undefined, isAgain: boolean): void | Promise<void> {
    const { to, from } = stanza
    if (!to || !from) return
    return this.#receiveInTurn({ stanza, from, to, key: to.bare.toString(), isAgain, claimant: { isPlace: true, refusedBy } })
  }

  #receiveAtService (stanza: Stanza, from: Jid, to: Jid): void | Promise<void> {
    const { iqs, router } = this.#parts
    if (stanza.kind === 'message') return router.bounce(stanza, new StanzaError('service-unavailable'))
    if (stanza.kind !== 'iq' || (stanza.type !== 'get' && stanza.type !== 'set')) return
    return iqs.answer(stanza, to.isBare ? ['rooms'] : [], to, from, undefined, reply => { post(this.#muc, reply) })
  }

  #sendToAll (room: Room, message: Message, isAgain: boolean): void | Promise<void> {
    try {
      return sendToAll(this.#muc, room, message, isAgain)?.catch(error => this.#refuse(message, error))
    } catch (error) {
      return this.#refuse(message, error)
    }
  }

  /** What is kept is waited for by who sent it, and not by the room's next turn. */
  async #receiveInTurn (arrival: Arrival): Promise<void> {
    const { key, stanza, isAgain } = arrival
    let handedOver: void | Promise<void> = undefined
    await this.#turns.inTurn(key, async () => {
      const outcome = await this.#receiveLocated(arrival)
      handedOver = outcome.node === undefined ? outcome.handedOver : this.#forwarding?.send(outcome.node, key, stanza, isAgain)
    })
    await handedOver
  }

  async #receiveForOther (arrival: Arrival): Promise<boolean> {
    let outcome: Outcome = {}
    await this.#turns.inTurn(arrival.key, async () => { outcome = await this.#receiveLocated(arrival) })
    await outcome.handedOver
    return outcome.node === undefined
  }

  /** In the room's turn. */
  async #receiveLocated ({ stanza, from, to, key, claimant, isAgain }: Arrival): Promise<Outcome> {
    try {
      const located = await this.#live.locate(to.bare, claimant)
      if (located && 'node' in located) return located
      if (!located) await this.#receiveAtNone(stanza, from, to)
      else if (stanza.kind === 'message' && isForAll(stanza)) return { handedOver: this.#sendToAll(located.room, stanza, isAgain) }
      else await this.#receiveAlone(located.room, stanza, from, to)
    } catch (error) {
      this.#refuse(stanza, error)
    } finally {
      this.#live.settle(key)
    }
    return {}
  }

  async #receiveAlone (room: Room, stanza: Stanza, from: Jid, to: Jid): Promise<void> {
    await room.commits.settled()
    await this.#receiveAt(room, stanza, from, to)
    this.#live.place(room)
    await room.outbox.settled() // who comes to a full room waits until those before are told of each other
  }

  /** Tells the sender what he did wrong; what is no refusal is a mistake of ours. */
  #refuse (stanza: Stanza, error: unknown): void {
    const { log, router } = this.#parts
    if (!(error instanceof StanzaError)) log.error({ err: error, stanza: stanza.summary() }, 'a stanza for a room could not be dealt with')
    const refusal = error instanceof StanzaError ? error : new StanzaError('internal-server-error', undefined, undefined, 'wait')
    if (stanza.kind === 'presence' && stanza.type === 'available' && stanza.has('x', NS_MUC)) refuseEntry(this.#muc, stanza, refusal)
    else void router.bounce(stanza, refusal)
  }

  #receiveAt (room: Room, stanza: Stanza, from: Jid, to: Jid): void | Promise<void> {
    switch (stanza.kind) {
      case 'presence': return receivePresence(this.#muc, room, stanza, from, to)
      case 'message': return receiveForRoom(this.#muc, room, stanza, from, to)
      case 'iq': return to.isBare ? this.#answer(room, stanza, from, to) : forwardIq(this.#muc, room, stanza, to)
    }
  }

  #answer (room: Room, iq: Iq, from: Jid, to: Jid): void | Promise<void> {
    if (iq.type !== 'get' && iq.type !== 'set') return
    const { iqs } = this.#parts
    const tasks: (() => void | Promise<void>)[] = []
    const visitor: RoomVisitor = {
      room, occupant: room.session(from)?.occupant, afterwards: task => { tasks.push(task) },
    }
    const answered = iqs.answer(iq, ['room'], to, from, visitor, reply => { post(this.#muc, reply) })
    const done = this.#finish(answered, tasks)
    return iqs.isInTurn(iq) ? done : undefined
  }

  async #finish (answered: void | Promise<void>, tasks: readonly (() => void | Promise<void>)[]): Promise<void> {
    try {
      await answered
      for (const task of tasks) await task()
    } catch (error) { // who asked has his answer
      this.#parts.log.error({ err: error }, 'what follows a request to a room could not be done')
    }
  }

  /** What is sent to a room that is not there. */
  #receiveAtNone (stanza: Stanza, from: Jid, to: Jid): void | Promise<void> {
    if (stanza.kind === 'presence') {
      if (stanza.type !== 'available') return
      if (to.isBare) throw new StanzaError('jid-malformed', 'a nick is needed')
      return stanza.has('x', NS_MUC) ? this.#create(stanza, from, to) : disown(this.#muc, stanza)
    }
    if (stanza.kind === 'iq' && !to.isBare) throw refusal(stanza)
    throw new StanzaError('item-not-found')
  }

  /** §10.1: whoever comes first to a room that is not there makes it, and owns it. */
  async #create (presence: Presence, from: Jid, to: Jid): Promise<void> {
    await checkCreator(this.#muc, from)
    const affiliations = new Affiliations([{ jid: from.bare, affiliation: 'owner' }])
    const room = await this.#live.open(new Room(to.bare, { config: new Map(), affiliations }, true))
    try {
      join(this.#muc, room, presence, from, to, true)
    } finally {
      if (room.occupants.size === 0) await this.#end(room)
    }
    this.#live.place(room)
  }

  async #end (room: Room): Promise<void> {
    const { events, log } = this.#parts
    if (!room.isLocked) await this.#muc.store.remove(room.jid)
    await this.#live.end(room)
    await events.roomEnded(room.jid)
    log.debug({ room: room.jid.toString() }, 'a room ended')
  }
}

/** A message that passes on its own, while what else there is takes the room's turn. */
function isForAll (message: Message): boolean {
  return message.type === 'groupchat' && message.to?.isBare === true && !isSubject(message)
}
