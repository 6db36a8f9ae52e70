/**
 * Members of a group who have their accounts on other servers: each gets the room's messages at his bare address, once,
 * where his server says that it hands them to the devices that are not in the room. Others' members find them in the
 * archive: their servers would refuse such a message (RFC 6121 §8.5.2.1.1).
 */
import { LRUCache } from 'lru-cache'
import { Jid } from '../../src/extension/api.ts'
import type { ExtensionHost, Message, RoomData, RoomView } from '../../src/extension/api.ts'
import { readRemoteMembers } from './store.ts'

/** Servers that are remembered, and for how long. */
const MAX_SERVERS = 10_000
const KNOWN_MS = 3_600_000

export class RemoteMembers {
  readonly #host: ExtensionHost
  readonly #feature: string
  readonly #members: RoomData<readonly Jid[]>
  /** Whether a server hands messages on, by its domain; a promise while it is asked. */
  readonly #servers = new LRUCache<string, boolean | Promise<boolean>>({ max: MAX_SERVERS, ttl: KNOWN_MS })

  /** Servers that hand messages on say so by the feature. */
  constructor (host: ExtensionHost, feature: string) {
    this.#host = host
    this.#feature = feature
    this.#members = host.rooms.data((db, room) => readRemoteMembers(db, room, host.hosts))
  }

  /** Affiliations or preferences in the room have changed. */
  async changed (room: RoomView): Promise<void> {
    this.#members.set(room, await readRemoteMembers(this.#host.db, room.jid, this.#host.hosts))
  }

  /** Sends a message of the room; undefined where that is done, or there is nobody to send it to. */
  send (room: RoomView, message: Message): void | Promise<void> {
    const { hosts, rooms } = this.#host
    const host = Jid.parse(hosts[rooms.domains.indexOf(room.jid.domain)] ?? '')
    const waiting = this.#members.of(room).flatMap(member => {
      const send = (takes: boolean): void => { if (takes) this.#host.messages.route(message.copyFor(member)) }
      const takes = this.#takes(member.domain, host)
      return takes instanceof Promise ? takes.then(send) : send(takes) ?? []
    })
    if (waiting.length > 0) return Promise.all(waiting).then(() => {})
  }

  #takes (domain: string, from: Jid): boolean | Promise<boolean> {
    const known = this.#servers.get(domain)
    if (known !== undefined) return known
    const asked = this.#ask(domain, from)
    this.#servers.set(domain, asked)
    return asked
  }

  async #ask (domain: string, from: Jid): Promise<boolean> {
    const features = await this.#host.disco.featuresOf(Jid.parse(domain), from)
    const takes = features?.has(this.#feature) === true
    if (features) this.#servers.set(domain, takes)
    else this.#servers.delete(domain) // it is asked again at the next message
    return takes
  }
}
