/**
 * Members of a group who have their accounts on other servers: each gets the room's messages at his bare address, once,
 * where his server says that it hands them to the devices that are not in the room. Others' members find them in the
 * archive: their servers would refuse such a message (RFC 6121 §8.5.2.1.1).
 */
import { LRUCache } from 'lru-cache'
import { inBackground, Jid, Shares } from '../../src/extension/api.ts'
import type { ExtensionHost, Message, Portion, RoomData, RoomView } from '../../src/extension/api.ts'
import { readRemoteMembers } from './store.ts'

/** Servers that are remembered, and for how long. */
const MAX_SERVERS = 10_000
const KNOWN_MS = 3_600_000
/** The most bytes that wait for servers to answer, of all and of one; what comes then, members find in the archive. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024
const MAX_WAITING_BYTES_OF_ONE = 1024 * 1024
/** What a message costs beside its content. */
const OVERHEAD_BYTES = 500

interface Waiting { readonly room: RoomView, readonly message: Message, readonly members: readonly Jid[] }

/** A server that is being asked, and what waits for its answer, in order. */
interface Asked { readonly waiting: Waiting[], readonly portion: Portion }

export class RemoteMembers {
  readonly #host: ExtensionHost
  readonly #feature: string
  /** By the domains of their servers. */
  readonly #members: RoomData<ReadonlyMap<string, readonly Jid[]>>
  /** Whether a server hands messages on, by its domain. */
  readonly #servers = new LRUCache<string, boolean | Asked>({ max: MAX_SERVERS, ttl: KNOWN_MS })
  readonly #shares = new Shares(MAX_WAITING_BYTES, MAX_WAITING_BYTES_OF_ONE)

  /** Servers that hand messages on say so by the feature. */
  constructor (host: ExtensionHost, feature: string) {
    this.#host = host
    this.#feature = feature
    this.#members = host.rooms.data((_db, room) => this.#read(room))
  }

  /** Affiliations or preferences in the room have changed. */
  async changed (room: RoomView): Promise<void> {
    this.#members.set(room, await this.#read(room.jid))
  }

  async #read (room: Jid): Promise<ReadonlyMap<string, readonly Jid[]>> {
    return Map.groupBy(await readRemoteMembers(this.#host.db, room, this.#host.hosts), ({ domain }) => domain)
  }

  /** Sends a message of the room, or keeps it until it is known what the members' servers do with it. */
  send (room: RoomView, message: Message): void {
    for (const [domain, members] of this.#members.of(room)) {
      const server = this.#servers.get(domain) ?? this.#ask(domain, room)
      if (server === true) this.#sendTo({ room, message, members })
      else if (server !== false) this.#wait(domain, server, { room, message, members })
    }
  }

  #sendTo ({ room, message, members }: Waiting): void {
    const sending = this.#host.rooms.sendInOrder(room, members, member => {
      this.#host.messages.route(message.copyFor(member))
      return message.weight
    })
    inBackground(this.#host.log, 'messages to members of other servers', sending)
  }

  #wait (domain: string, { waiting, portion }: Asked, { message, ...rest }: Waiting): void {
    if (!this.#shares.hasRoom(domain)) return
    this.#shares.add(portion, domain, message.weight + OVERHEAD_BYTES)
    waiting.push({ message: message.copy(), ...rest })
  }

  #ask (domain: string, room: RoomView): Asked {
    const asked: Asked = { waiting: [], portion: { bytes: 0 } }
    this.#servers.set(domain, asked)
    inBackground(this.#host.log, 'question to another server', this.#askFor(asked, domain, room))
    return asked
  }

  async #askFor ({ waiting, portion }: Asked, domain: string, room: RoomView): Promise<void> {
    const { hosts, rooms, disco } = this.#host
    const host = Jid.parse(hosts[rooms.domains.indexOf(room.jid.domain)] ?? '')
    const features = await disco.featuresOf(Jid.parse(domain), host)
    const takes = features?.has(this.#feature) === true
    if (features) this.#servers.set(domain, takes)
    else this.#servers.delete(domain) // it is asked again at the next message
    this.#shares.remove(portion)
    if (takes) for (const one of waiting) this.#sendTo(one)
  }
}
