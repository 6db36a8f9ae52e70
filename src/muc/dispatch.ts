/**
 * What comes of a stanza at a room, once it is found to be here or not to be: everybody who does what a room does not
 * allow is told so, and whoever comes to a room that is not there makes it (XEP-0045 §10.1).
 */
import type { RoomVisitor } from '../extension/requests.ts'
import type { Logger } from '../log.ts'
import type { IqTable } from '../routing/iq-table.ts'
import type { Router } from '../routing/router.ts'
import type { EventTable } from '../session/events.ts'
import { neverRejects } from '../util/background.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Iq, Message, Presence, Stanza } from '../xmpp/stanza.ts'
import { Affiliations } from './room/affiliations.ts'
import { beginRoom } from './presence/creation.ts'
import { join } from './presence/join.ts'
import type { RoomRegistry } from './room-registry.ts'
import { sendToAll } from './messages/message.ts'
import { post } from './context.ts'
import type { Muc, Received } from './context.ts'
import { NS_MUC } from './ns.ts'
import { disown } from './presence/occupant-presence.ts'
import { forwardIq, refusal } from './disco/occupant-iq.ts'
import { receiveForRoom } from './messages/other-messages.ts'
import { Room } from './room/room.ts'
import { isSubject } from './messages/subject.ts'
import { checkCapacity } from './presence/under-way.ts'
import { receivePresence } from './presence/presence-to-room.ts'

export interface RoomDispatcherParts {
  readonly muc: Muc
  readonly live: RoomRegistry
  readonly router: Router
  readonly iqs: IqTable
  readonly events: EventTable
  readonly log: Logger
}

export class RoomDispatcher {
  readonly #parts: RoomDispatcherParts

  constructor (parts: RoomDispatcherParts) {
    this.#parts = parts
  }

  /** A stanza for the service itself. */
  receiveForService (stanza: Stanza, from: Jid, to: Jid): void | Promise<void> {
    const { iqs, router } = this.#parts
    if (stanza.kind === 'message') return router.bounce(stanza, new StanzaError('service-unavailable'))
    if (stanza.kind !== 'iq' || (stanza.type !== 'get' && stanza.type !== 'set')) return
    return iqs.answer(stanza, to.isBare ? ['rooms'] : [], to, from, undefined, reply => { post(this.#parts.muc, reply) })
  }

  /** A message to all. A promise means: not handed over yet. */
  sendToAll (room: Room, message: Message): void | Promise<void> {
    try {
      checkCapacity(this.#parts.muc.underWay, room, message)
      return sendToAll(this.#parts.muc, room, message)?.catch(error => this.refuse(message, error))
    } catch (error) {
      return this.refuse(message, error)
    }
  }

  /** In the room's turn: whatever is no message to all. */
  async receive (room: Room, stanza: Stanza, from: Jid, to: Jid): Promise<Received> {
    if (isHidden(room, from)) return this.receiveForMissingRoom(stanza, from, to, room)
    checkCapacity(this.#parts.muc.underWay, room, stanza)
    await room.commits.settled()
    const received = await this.#receiveAt(room, stanza, from, to)
    this.#parts.live.place(room)
    await room.sendQueue.settled() // who comes to a full room waits until those before are told of each other
    return received ?? {}
  }

  /** Tells the sender what he did wrong; what is no refusal is a mistake of ours. */
  refuse (stanza: Stanza, error: unknown): void {
    const { log, router } = this.#parts
    if (!(error instanceof StanzaError)) {
      log.error({ event: 'muc.stanza_failed', err: error, stanza: stanza.summary() }, 'muc: stanza for a room failed')
    }
    const refusal = error instanceof StanzaError ? error : new StanzaError('internal-server-error', undefined, undefined, 'wait')
    const by = stanza.to?.isBare ? undefined : stanza.to?.bare // XEP-0045 §7.2 has it so
    neverRejects(router.bounce(stanza, refusal, by)) // what failed is logged
  }

  #receiveAt (room: Room, stanza: Stanza, from: Jid, to: Jid): void | Promise<void | Received> | Received {
    switch (stanza.kind) {
      case 'presence': return receivePresence(this.#parts.muc, room, stanza, from, to)
      case 'message': return receiveForRoom(this.#parts.muc, room, stanza, from, to)
      case 'iq': return to.isBare ? this.#answer(room, stanza, from, to) : forwardIq(this.#parts.muc, room, stanza, to)
    }
  }

  #answer (room: Room, iq: Iq, from: Jid, to: Jid): void | Promise<void> {
    if (iq.type !== 'get' && iq.type !== 'set') return
    const { iqs } = this.#parts
    const tasks: (() => void | Promise<void>)[] = []
    const visitor: RoomVisitor = {
      room, occupant: room.session(from)?.occupant, afterwards: task => { tasks.push(task) },
    }
    const answered = iqs.answer(iq, ['room'], to, from, visitor, reply => { post(this.#parts.muc, reply) })
    const done = this.#finish(answered, tasks)
    return iqs.isInTurn(iq) ? done : undefined
  }

  async #finish (answered: void | Promise<void>, tasks: readonly (() => void | Promise<void>)[]): Promise<void> {
    try {
      await answered
      for (const task of tasks) await task()
    } catch (error) { // who asked has his answer
      this.#parts.log.error({ event: 'muc.request_follow_up_failed', err: error }, 'muc: follow-up of a request failed')
    }
  }

  /** What is sent to a room that is not there, or that `hidden` is to be thought not to be. */
  async receiveForMissingRoom (stanza: Stanza, from: Jid, to: Jid, hidden?: Room): Promise<Received> {
    if (stanza.kind === 'presence') {
      if (stanza.type !== 'available') return {}
      if (to.isBare) throw new StanzaError('jid-malformed', 'a nickname is needed')
      if (stanza.has('x', NS_MUC) && !hidden) return this.#create(stanza, from, to)
      if (stanza.has('x', NS_MUC)) throw new StanzaError('item-not-found') // §7.2.10
      disown(this.#parts.muc, stanza)
      return {}
    }
    if (stanza.kind === 'iq' && !to.isBare) throw refusal(stanza)
    throw new StanzaError('item-not-found')
  }

  /** §10.1: whoever comes first to a room that is not there makes it, and owns it. */
  async #create (presence: Presence, from: Jid, to: Jid): Promise<Received> {
    const end = await beginRoom(this.#parts.muc, from)
    let isCreated = false
    try {
      const affiliations = new Affiliations([{ jid: from.bare, affiliation: 'owner' }])
      const room = await this.#parts.live.open(new Room(to.bare, { config: new Map(), affiliations, creator: from.bare.toString() }, true))
      const received = await this.#enterFirst(room, presence, from, to)
      isCreated = true
      return received
    } finally {
      end(isCreated)
    }
  }

  async #enterFirst (room: Room, presence: Presence, from: Jid, to: Jid): Promise<Received> {
    let received: Received
    try {
      received = await join(this.#parts.muc, room, presence, from, to, await this.#parts.muc.accounts.lifeOf(from))
    } finally {
      if (room.occupants.size === 0) await this.end(room)
    }
    this.#parts.live.place(room)
    return received
  }

  /** The room is no more: out of memory and out of the database. */
  async end (room: Room, destroyed?: string): Promise<void> {
    const { events, log } = this.#parts
    if (!room.isLocked) await this.#parts.muc.store.remove(room.jid)
    await this.#parts.live.end(room, destroyed)
    await events.emitAll('room.ended', room.jid)
    log.debug({ event: 'muc.room_ended', room: room.jid.toString() }, 'muc: room ended')
  }
}

/** §7.2.10: until its owner has set it up, a room is there for nobody else. */
function isHidden (room: Room, from: Jid): boolean {
  return room.isLocked && room.affiliationOf(from) !== 'owner'
}

/** A message that passes on its own, while what else there is takes the room's turn. */
export function isForAll (message: Message): boolean {
  return message.type === 'groupchat' && message.to?.isBare === true && !isSubject(message)
}
