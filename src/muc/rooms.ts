/**
 * The rooms of a host, at conference.HOST (XEP-0045): finds and creates them, sees to it that what happens to a room
 * happens in turn, and takes every stanza to the part that deals with it.
 */
import { LRUCache } from 'lru-cache'
import type { ExtensionHost, RoomVisitor } from '../extension/api.ts'
import type { StageTable } from '../extension/stages.ts'
import type { Logger } from '../log.ts'
import type { Disco } from '../routing/disco.ts'
import type { IqTable } from '../routing/iq-table.ts'
import type { Destination, Router } from '../routing/router.ts'
import type { DataSlot } from '../session/account.ts'
import type { EventTable } from '../session/events.ts'
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
import { receiveForRoom } from './room-message.ts'
import { broadcast, sendToAll } from './message.ts'
import { post, roomsDomain } from './muc.ts'
import type { Muc } from './muc.ts'
import { NS_MUC } from './ns.ts'
import { disown } from './occupant-presence.ts'
import { forwardIq, refusal } from './occupant-iq.ts'
import { registerOwnerIq } from './owner-iq.ts'
import { registerRoomDisco } from './room-disco.ts'
import { RoomOptions } from './room-options.ts'
import { Room } from './room.ts'
import { roomStore } from './store.ts'
import { isSubject } from './subject.ts'
import { receivePresence } from './visit.ts'

/** Rooms with nobody in that stay in memory, so that who comes next needs no database. */
const MAX_IDLE = 1000

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
}

export class Rooms implements Destination {
  readonly #muc: Muc
  readonly #parts: RoomsParts
  /** Those with somebody in. */
  readonly #rooms = new Map<string, Room>()
  readonly #idle = new LRUCache<string, Room>({ max: MAX_IDLE })
  readonly #turns = new Turns()
  readonly #slots: DataSlot<unknown>[] = []

  constructor (parts: RoomsParts) {
    const { limits = DEFAULT_LIMITS, db, router, stages, hosts } = parts
    const options = new RoomOptions(limits)
    this.#parts = parts
    this.#muc = { router, stages, hosts, limits, options, store: roomStore(db, options), end: room => this.#end(room) }
  }

  /** What the core itself answers for rooms. */
  register (host: ExtensionHost): void {
    const { disco } = this.#parts
    disco.addService(({ domain }) => ({ jid: roomsDomain(domain), name: 'Rooms' }))
    registerRoomDisco(host, disco, this.#muc)
    registerAdminIq(host, this.#muc)
    registerOwnerIq(host, this.#muc)
    registerInvitations(host, this.#muc, (jid, task) => this.#inRoom(jid, task))
  }

  /** Takes its place. */
  serve (): void {
    const { hosts, router } = this.#parts
    for (const host of hosts) router.serve(roomsDomain(host), this)
  }

  /** Forgets the rooms that would have ended with their occupants, had the server not ended first. */
  async removeTemporary (): Promise<void> {
    for (const host of this.#parts.hosts) await this.#muc.store.removeTemporary(roomsDomain(host))
  }

  /** §11.2: tells everybody that the server ends. */
  async stop (): Promise<void> {
    await Promise.all([...this.#rooms.values()].map(room => shutDown(this.#muc, room)))
  }

  get options (): RoomOptions {
    return this.#muc.options
  }

  /** What is to be loaded with every room from now on; what is returned ends that. */
  addData (slot: DataSlot<unknown>): () => void {
    this.#slots.push(slot)
    return () => { this.#slots.splice(this.#slots.indexOf(slot), 1) }
  }

  /** The room, in memory from now on while somebody is in; nothing where there is none. */
  async room (jid: Jid): Promise<Room | undefined> {
    let found: Room | undefined
    await this.#inRoom(jid, async room => { found = room })
    return found
  }

  async #inRoom (jid: Jid, task: (room: Room) => Promise<void>): Promise<void> {
    await this.#turns.inTurn(jid.bare.toString(), async () => {
      const room = await this.#find(jid.bare)
      if (!room) return
      await task(room)
      this.#place(room)
    })
  }

  /** Sends a message to all who are in, behind whatever they are sent already. */
  broadcast (room: Room, message: Message): void {
    void broadcast(this.#muc, room, message)
  }

  /** A stanza for the service, a room or an occupant. A promise means: not handed over yet. */
  receive (stanza: Stanza): void | Promise<void> {
    const { to, from } = stanza
    if (!to || !from) return
    if (to.local === '') return this.#receiveAtService(stanza, from, to)
    const key = to.bare.toString()
    const room = this.#rooms.get(key)
    if (stanza.kind === 'message' && room && isForAll(stanza) && !this.#turns.isBusy(key)) return this.#sendToAll(room, stanza)
    return this.#receiveInTurn(stanza, from, to, key)
  }

  #receiveAtService (stanza: Stanza, from: Jid, to: Jid): void | Promise<void> {
    const { iqs, router } = this.#parts
    if (stanza.kind === 'message') return router.bounce(stanza, new StanzaError('service-unavailable'))
    if (stanza.kind !== 'iq' || (stanza.type !== 'get' && stanza.type !== 'set')) return
    return iqs.answer(stanza, to.isBare ? ['rooms'] : [], to, from, undefined, reply => { post(this.#muc, reply) })
  }

  #sendToAll (room: Room, message: Message): void | Promise<void> {
    try {
      return sendToAll(this.#muc, room, message)?.catch(error => this.#refuse(message, error))
    } catch (error) {
      return this.#refuse(message, error)
    }
  }

  /** What is kept is waited for by who sent it, and not by the room's next turn. */
  async #receiveInTurn (stanza: Stanza, from: Jid, to: Jid, key: string): Promise<void> {
    let handedOver: void | Promise<void> = undefined
    await this.#turns.inTurn(key, async () => {
      try {
        const room = this.#peek(key) ?? await this.#find(to.bare)
        if (!room) await this.#receiveAtNone(stanza, from, to)
        else if (stanza.kind === 'message' && isForAll(stanza)) handedOver = this.#sendToAll(room, stanza)
        else {
          await room.commits.settled()
          await this.#receiveAt(room, stanza, from, to)
          this.#place(room)
        }
      } catch (error) {
        this.#refuse(stanza, error)
      }
    })
    await handedOver
  }

  /** Tells the sender what he did wrong; what is no refusal is a mistake of ours. */
  #refuse (stanza: Stanza, error: unknown): void {
    const { log, router } = this.#parts
    if (!(error instanceof StanzaError)) log.error({ err: error, stanza: stanza.summary() }, 'a stanza for a room could not be dealt with')
    void router.bounce(stanza, error instanceof StanzaError ? error : new StanzaError('internal-server-error', undefined, undefined, 'wait'))
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
    if (!iqs.isInTurn(iq)) return
    return this.#finish(answered, tasks)
  }

  async #finish (answered: void | Promise<void>, tasks: readonly (() => void | Promise<void>)[]): Promise<void> {
    await answered
    for (const task of tasks) await task()
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

  /** The room from memory or the database. */
  async #find (jid: Jid): Promise<Room | undefined> {
    const key = jid.toString()
    const room = this.#peek(key)
    if (room) return room
    const saved = await this.#muc.store.load(jid)
    return saved && this.#open(new Room(jid, saved))
  }

  async #open (room: Room): Promise<Room> {
    await Promise.all(this.#slots.map(async slot => { room.setData(slot, await slot.load(room.jid)) }))
    this.#place(room)
    return room
  }

  #peek (key: string): Room | undefined {
    return this.#rooms.get(key) ?? this.#idle.get(key)
  }

  /** A room with somebody in stays in memory; of the others some do. */
  #place (room: Room): void {
    const key = room.jid.toString()
    if (!room.isOpen) return
    const [place, other] = room.occupants.size > 0 ? [this.#rooms, this.#idle] : [this.#idle, this.#rooms]
    other.delete(key)
    place.set(key, room)
  }

  /** §10.1: whoever comes first to a room that is not there makes it, and owns it. */
  async #create (presence: Presence, from: Jid, to: Jid): Promise<void> {
    await checkCreator(this.#muc, from)
    const affiliations = new Affiliations([{ jid: from.bare, affiliation: 'owner' }])
    const room = await this.#open(new Room(to.bare, { config: new Map(), affiliations }, true))
    try {
      join(this.#muc, room, presence, from, to, true)
    } finally {
      if (room.occupants.size === 0) await this.#end(room)
    }
    this.#place(room)
  }

  async #end (room: Room): Promise<void> {
    const { events, log } = this.#parts
    if (!room.isLocked) await this.#muc.store.remove(room.jid)
    room.isOpen = false
    this.#rooms.delete(room.jid.toString())
    this.#idle.delete(room.jid.toString())
    await events.roomEnded(room.jid)
    log.debug({ room: room.jid.toString() }, 'a room ended')
  }
}

/** A message that passes on its own, while what else there is takes the room's turn. */
function isForAll (message: Message): boolean {
  return message.type === 'groupchat' && message.to?.isBare === true && !isSubject(message)
}
