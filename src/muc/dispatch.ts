/**
 * Dispatches the stanzas for a room, or for one that doesn't exist, by their kind. Refusals are answered to the sender;
 * a join of a missing room creates it (XEP-0045 §10.1).
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

  /** Takes a stanza for the service itself. */
  receiveForService (stanza: Stanza, from: Jid, to: Jid): void | Promise<void> {
    const { iqs, router } = this.#parts
    if (stanza.kind === 'message') return router.bounce(stanza, new StanzaError('service-unavailable'))
    if (stanza.kind !== 'iq' || (stanza.type !== 'get' && stanza.type !== 'set')) return
    const targets = to.isBare ? ['rooms' as const] : []
    return iqs.answer(stanza, targets, to, from, undefined, reply => { post(this.#parts.muc, reply) })
  }

  /** Takes a message to all occupants. A returned promise means that it is not delivered yet. */
  sendToAll (room: Room, message: Message): void | Promise<void> {
    try {
      checkCapacity(this.#parts.muc.underWay, room, message)
      return sendToAll(this.#parts.muc, room, message)?.catch(error => this.refuse(message, error))
    } catch (error) {
      return this.refuse(message, error)
    }
  }

  /** Takes, in the room's turn, any stanza but a message to all occupants. */
  async receive (room: Room, stanza: Stanza, from: Jid, to: Jid): Promise<Received> {
    if (isHidden(room, from)) return this.receiveForMissingRoom(stanza, from, to, room)
    checkCapacity(this.#parts.muc.underWay, room, stanza)
    await room.commits.settled()
    const received = await this.#receiveAt(room, stanza, from, to)
    this.#parts.live.place(room)
    await room.sendQueue.settled() // joins of a full room wait for the presence broadcasts of earlier ones
    return received ?? {}
  }

  /** Answers the sender with the error; one that is no StanzaError is a bug, which is logged. */
  refuse (stanza: Stanza, error: unknown): void {
    const { log, router } = this.#parts
    if (!(error instanceof StanzaError)) {
      log.error({ event: 'muc.stanza_failed', err: error, stanza: stanza.summary() }, 'muc: stanza for a room failed')
    }
    const refusal = error instanceof StanzaError
      ? error : new StanzaError('internal-server-error', undefined, undefined, 'wait')
    const by = stanza.to?.isBare ? undefined : stanza.to?.bare // errors come from the room (XEP-0045 §7.2)
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
    } catch (error) { // a bug: the sender has the answer already
      this.#parts.log.error({ event: 'muc.request_follow_up_failed', err: error }, 'muc: follow-up of a request failed')
    }
  }

  /** Takes a stanza for a room that doesn't exist, or that the sender must not see (`hidden`). */
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

  /** §10.1: the first user to join a missing room creates and owns it. */
  async #create (presence: Presence, from: Jid, to: Jid): Promise<Received> {
    const end = await beginRoom(this.#parts.muc, from)
    let isCreated = false
    try {
      const affiliations = new Affiliations([{ jid: from.bare, affiliation: 'owner' }])
      const draft = new Room(to.bare, { config: new Map(), affiliations, creator: from.bare.toString() }, true)
      const received = await this.#enterFirst(await this.#parts.live.open(draft), presence, from, to)
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

  /** Removes the room from memory and from the database. */
  async end (room: Room, destroyed?: string): Promise<void> {
    const { events, log } = this.#parts
    if (!room.isLocked) await this.#parts.muc.store.remove(room.jid)
    await this.#parts.live.end(room, destroyed)
    await events.emitAll('room.ended', room.jid)
    log.debug({ event: 'muc.room_ended', room: room.jid.toString() }, 'muc: room ended')
  }
}

/** §7.2.10: a locked room is visible to its owner only. */
function isHidden (room: Room, from: Jid): boolean {
  return room.isLocked && room.affiliationOf(from) !== 'owner'
}

/** Whether the message goes to all occupants without taking a turn of the room; a change of subject takes one. */
export function isForAll (message: Message): boolean {
  return message.type === 'groupchat' && message.to?.isBare === true && !isSubject(message)
}
