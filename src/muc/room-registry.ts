/**
 * The rooms that this node owns: in memory are those with occupants, and some others. In a cluster the node at a room's
 * place (rendezvous hashing) claims it when it is first needed, and loads it with the occupants that the previous owner
 * node left.
 */
import { LRUCache } from 'lru-cache'
import type { Logger } from '../log.ts'
import type { DataSlot } from '../session/account.ts'
import type { EventTable } from '../session/events.ts'
import type { Claim, Homes, RoomRecords } from '../session/homes.ts'
import { addTo } from '../util/add-to.ts'
import { inBackground } from '../util/background.ts'
import type { ArchiveKeys } from '../xmpp/archive-ids.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Message } from '../xmpp/stanza.ts'
import { pendingPresenceIn } from './failover/pending-presence.ts'
import type { PendingPresence } from './failover/pending-presence.ts'
import { Room } from './room/room.ts'
import {
  destroyedIn,
  destroyedRoom,
  keepDestroyed,
  keepRecords,
  lockedRoomIn,
  positionIn,
  restoreOccupants,
} from './failover/room-record.ts'
import type { RoomStore } from './store.ts'

/** Rooms without occupants that stay in memory. */
const MAX_IDLE = 1000

/** The cluster's services for rooms. */
export interface RoomsCluster {
  readonly homes: Homes
  readonly roomRecords: RoomRecords
}

/** A room in memory here, or its owner node; undefined where there is no such room. */
export type LocatedRoom = { readonly room: Room } | { readonly node: string } | undefined

/** Which node claims a room that no node owns: the one at its place, or this one. */
export type Claimant = { readonly isPlace: true, readonly refusedBy?: string | undefined } | { readonly isPlace: false }

const NONE: ReadonlyMap<string, string> = new Map()
const HERE: Claimant = { isPlace: false }

export interface RoomRegistryParts {
  readonly store: Pick<RoomStore, 'load'>
  readonly events: EventTable
  readonly cluster?: RoomsCluster | undefined
  readonly log: Logger
  readonly archiveKeys: ArchiveKeys
  /** Sends a message to all occupants. */
  readonly say: (room: Room, message: Message) => void
  /** Sends all occupants presence that may not have reached them. */
  readonly tellAgain: (room: Room, pending: readonly PendingPresence[]) => void
  /** Removes all occupants; `destroyed` is `<destroy/>` as XML. Resolves when all were notified, or can't be. */
  readonly tellDestroyed: (room: Room, destroyed: string) => Promise<void>
}

export class RoomRegistry {
  readonly #parts: RoomRegistryParts
  /** Those with somebody in. */
  readonly #occupied = new Map<string, Room>()
  readonly #idle = new LRUCache<string, Room>({
    max: MAX_IDLE,
    dispose: (room, _key, reason) => {
      if (reason === 'evict') inBackground(this.#parts.log, 'removal of a room from memory', this.#leave(room))
    },
  })
  readonly #slots: DataSlot<unknown>[] = []
  /** Claimed and not loaded yet, with the state to take over: a claim returns it once, and the database may be away. */
  readonly #claimed = new Map<string, Claim['before']>()

  constructor (parts: RoomRegistryParts) {
    this.#parts = parts
  }

  /** State to load with every room from now on, until the function that is returned is called. */
  addData (slot: DataSlot<unknown>): () => void {
    return addTo(this.#slots, slot)
  }

  /** Every room with somebody in. */
  get occupied (): ReadonlyMap<string, Room> {
    return this.#occupied
  }

  /** The rooms of a creator that are still locked. */
  countLocked (creator: string): number {
    let count = 0
    for (const room of this.#occupied.values()) if (room.isLocked && room.creator === creator) count++
    return count
  }

  /** Every room in memory. */
  * atHome (): Iterable<Room> {
    yield * this.#occupied.values()
    yield * this.#idle.values()
  }

  /** The room if it is in memory. */
  peek (key: string): Room | undefined {
    return this.#occupied.get(key) ?? this.#idle.get(key)
  }

  /** The room's owner node at the last look-up, if it is another one. */
  elsewhere (key: string): string | undefined {
    return this.#parts.cluster?.homes.elsewhere(key)
  }

  /** Whether a room has no owner node and no orphaned state; a hint only while this node has not claimed it. */
  async isAbandoned (key: string): Promise<boolean> {
    const found = await this.#parts.cluster?.homes.find(key)
    return found?.node === undefined && found?.hasOrphanedState !== true
  }

  /** In the room's turn: where the room is; if here, it is loaded. */
  async locate (jid: Jid, claimant: Claimant = HERE): Promise<LocatedRoom> {
    const key = jid.toString()
    const room = this.peek(key)
    if (room) return { room }
    const { cluster, store } = this.#parts
    if (!cluster) {
      const saved = await store.load(jid)
      return saved && { room: await this.open(new Room(jid, saved)) }
    }
    const node = await this.#claim(cluster, key, claimant)
    return node === undefined ? this.#inherit(cluster, jid, key) : { node }
  }

  /** The owner node, or the one that should claim it; undefined where it is this one. */
  async #claim ({ homes }: RoomsCluster, key: string, claimant: Claimant): Promise<string | undefined> {
    const place = homes.place(key)
    if (claimant.isPlace && place !== homes.incarnation && place !== claimant.refusedBy && !this.#claimed.has(key)) {
      const { node } = await homes.find(key)
      return node ?? place
    }
    const claim = await homes.claim(key)
    if (claim.node === undefined) this.#claimed.set(key, claim.before ?? this.#claimed.get(key))
    return claim.node
  }

  async #inherit (cluster: RoomsCluster, jid: Jid, key: string): Promise<LocatedRoom> {
    const { homes, roomRecords } = cluster
    const { incarnation } = homes
    const before = this.#claimed.get(key)
    const [saved, records] = await Promise.all([
      this.#parts.store.load(jid), before ? roomRecords.takeOver(before, key) : NONE,
    ])
    if (homes.incarnation !== incarnation) return this.locate(jid) // the lease was lost: that claim is void
    const room = saved ? new Room(jid, saved) : lockedRoomIn(jid, records)
    if (!room) {
      if (records.size > 0) await this.#finishEnd(cluster, jid, records)
      this.#claimed.set(key, undefined)
      return
    }
    return { room: await this.open(room, records) }
  }

  /** The previous owner node has destroyed the room, and may have notified nobody. */
  async #finishEnd ({ roomRecords }: RoomsCluster, jid: Jid, records: ReadonlyMap<string, string>): Promise<void> {
    await this.#parts.tellDestroyed(destroyedRoom(jid, records), destroyedIn(records) ?? '<destroy/>')
    await roomRecords.remove(jid.toString())
  }

  /** Loads a room with its data, and the occupants of its previous owner node. */
  async open (room: Room, records: ReadonlyMap<string, string> = NONE): Promise<Room> {
    await Promise.all(this.#slots.map(async slot => { room.setData(slot, await slot.load(room.jid)) }))
    room.archiveIds = this.#parts.archiveKeys.ofRoom(room.jid.toString())
    room.broadcastUpTo = positionIn(records)
    await this.#parts.events.emitAll('room.opened', room)
    const { cluster } = this.#parts
    const pending = [...pendingPresenceIn(records), ...restoreOccupants(room, records)]
    if (cluster) keepRecords(room, cluster.roomRecords)
    this.place(room)
    this.#parts.tellAgain(room, pending)
    for (const message of room.missedBroadcasts) this.#parts.say(room, message.asRedelivery())
    room.missedBroadcasts = []
    return room
  }

  /** Rooms with occupants stay in memory, and some others. */
  place (room: Room): void {
    const key = room.jid.toString()
    if (!room.isOpen) return
    const [place, other] = room.occupants.size > 0 ? [this.#occupied, this.#idle] : [this.#idle, this.#occupied]
    other.delete(key)
    place.set(key, room)
    this.#claimed.delete(key)
  }

  /** After the room's turn: releases a room that is not in memory and has no state to take over. */
  settle (key: string): void {
    if (this.#claimed.has(key) && !this.#claimed.get(key) && !this.peek(key)) this.#release(key, false)
  }

  /** Removes the room. If this node dies meanwhile another sends the recorded occupants `destroyed`. */
  async end (room: Room, destroyed?: string): Promise<void> {
    const key = room.jid.toString()
    this.#forget(room)
    if (destroyed !== undefined) {
      if (this.#parts.cluster) keepDestroyed(room, this.#parts.cluster.roomRecords, destroyed)
      await this.#parts.tellDestroyed(room, destroyed)
    }
    // Where Redis is away: nobody finds the record without a claim.
    await this.#parts.cluster?.roomRecords.remove(key).catch(() => {})
    this.#release(key, false)
  }

  /** In the room's turn: hands the room over, with its occupants. */
  async giveUp (room: Room): Promise<void> {
    const { cluster } = this.#parts
    const key = room.jid.toString()
    if (!cluster || this.peek(key) !== room) return
    await room.commits.settled()
    await room.sendQueue.settled()
    await this.#parts.events.emitAll('room.beforeMove', room)
    const isSaved = await cluster.roomRecords.save(key).then(() => true, () => false) // Redis is away: it stays here
    if (!isSaved) return
    const isOccupied = room.occupants.size > 0
    this.#forget(room)
    this.#parts.events.emit('room.movedAway', room)
    this.#release(key, isOccupied)
  }

  /** The room is out of memory: the next node that needs it may claim it. */
  async #leave (room: Room): Promise<void> {
    const { cluster, events } = this.#parts
    if (!cluster) return
    await events.emitAll('room.beforeMove', room)
    const key = room.jid.toString()
    if (!this.peek(key) && !this.#claimed.has(key)) this.#release(key, false)
  }

  /** Whether this node owns the room for sure; if another does, the room is dropped here. */
  async verify (key: string): Promise<boolean> {
    const found = await this.#parts.cluster?.homes.find(key).catch(() => undefined) // Redis is away: for everybody
    if (found?.node === undefined) return true
    this.drop(key)
    return false
  }

  /** Another node owns the room: it is dropped at once, without notice. */
  drop (key: string): void {
    const room = this.peek(key)
    if (!room) return
    this.#forget(room)
    this.#parts.events.emit('room.movedAway', room)
  }

  /** This node has a new id, and still owns the room. */
  async renamed (key: string, before: string): Promise<void> {
    const room = this.peek(key)
    const { cluster } = this.#parts
    if (!cluster || !room || room.occupants.size === 0) return
    room.touch([...room.sessions.values()]) // all of it, for Redis may have come back empty
    await cluster.roomRecords.takeOver({ node: before, isInOrder: false }, key)
  }

  #forget (room: Room): void {
    const key = room.jid.toString()
    room.isOpen = false
    room.touch = () => {}
    this.#occupied.delete(key)
    this.#idle.delete(key)
    this.#parts.cluster?.roomRecords.forget(key)
  }

  #release (key: string, hasRecord: boolean): void {
    this.#claimed.delete(key)
    this.#parts.cluster?.homes.release(key, hasRecord)
  }
}
