/**
 * The edge: streams of this node's clients whose sessions are on other nodes. Each link relays the client's elements to
 * the session's owner node, and the owner's output to the client.
 */
import type { Bus, NodeId } from '../../cluster/bus/bus.ts'
import type { Logger } from '../../log.ts'
import type { Transport } from '../../net/transport.ts'
import type { Homes } from '../../session/homes.ts'
import { eachInSlices, neverRejects } from '../../util/background.ts'
import type { Frame } from '../../xml/framer.ts'
import { StreamError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { frameBytes, streamError } from './wire-format.ts'
import type { NegotiatedStream, SessionLink } from '../session-link.ts'

/** Flow-control window: elements sent to the owner and not yet processed. */
const MAX_AHEAD = 64
const MAX_AHEAD_BYTES = 262_144
/**
 * The step, in bytes, in which read progress is reported to the owner, and how often it is checked while the client is
 * behind.
 */
const READ_STEP_BYTES = 65_536
const LOOK_MS = 50

/** A client's stream, as the edge needs it. */
export interface EdgeStream extends NegotiatedStream {
  readonly kind: Transport['kind']
  /** Writes serialized bytes: on a WebSocket, one message. */
  relay (bytes: Buffer): void
}

/** What a node needs for it. */
export interface EdgeParts {
  readonly bus: Bus
  readonly homes: Pick<Homes, 'forget'>
}

/** One for the whole node. */
export class Edge {
  readonly bus: Bus
  readonly #homes: Pick<Homes, 'forget'>
  readonly #links = new Map<string, RemoteSessionLink>()
  /** Links whose clients have unread bytes that the owner does not know to be read. */
  readonly #slow = new Set<RemoteSessionLink>()
  #looking: NodeJS.Timeout | undefined
  #last = 0

  constructor ({ bus, homes }: EdgeParts, log: Logger) {
    this.bus = bus
    this.#homes = homes
    bus.hear('stream.write', (home, { stream, lengths }, bytes) => { this.#find(home, stream)?.write(bytes, lengths) })
    bus.hear('stream.charge', (home, { stream, bytes }) => { this.#find(home, stream)?.charge(bytes) })
    bus.hear('stream.taken', (home, { stream, count }) => { this.#find(home, stream)?.taken(count) })
    bus.hear('stream.close', (home, { stream, error }) => {
      this.#find(home, stream)?.close(error && streamError(error))
    })
    bus.whenBroken(home => { this.#broken(home, log) })
  }

  /** The link to `home` for a stream; ends with `lost` or `leave`. */
  link (home: NodeId, stream: EdgeStream): RemoteSessionLink {
    const id = (this.#last++).toString(36)
    const link = new RemoteSessionLink(this, home, id, stream)
    this.#links.set(id, link)
    return link
  }

  /** The account's owner is not the cached one. */
  forget (account: Jid): void {
    this.#homes.forget(account.toString())
  }

  #find (home: NodeId, id: string): RemoteSessionLink | undefined {
    const link = this.#links.get(id)
    return link?.home === home ? link : undefined
  }

  /** Nothing of that node reaches a link any more; the clients are told in slices. */
  #broken (home: NodeId, log: Logger): void {
    const broken = [...this.#links.values()].filter(link => link.home === home && link.isBound)
    for (const link of broken) this.remove(link)
    neverRejects(eachInSlices(log, 'clients of a node that is gone', broken, link => { link.broken() }))
  }

  /** For links: removes one that is over. */
  remove (link: RemoteSessionLink): void {
    this.#links.delete(link.id)
    this.#slow.delete(link)
  }

  /** For links: checks the client's read progress periodically. */
  watch (link: RemoteSessionLink): void {
    this.#slow.add(link)
    this.#looking ??= setInterval(() => { this.#look() }, LOOK_MS).unref()
  }

  #look (): void {
    for (const link of this.#slow) if (link.tellRead()) this.#slow.delete(link)
    if (this.#slow.size > 0) return
    clearInterval(this.#looking)
    this.#looking = undefined
  }
}

/** The link to a session on another node. */
export class RemoteSessionLink implements SessionLink {
  readonly home: NodeId
  /** The stream's id at both nodes. */
  readonly id: string
  readonly #edge: Edge
  readonly #stream: EdgeStream
  #isClosed = false
  #jid: Jid | undefined
  /** Output from before the client knew that it is bound. */
  #early: (() => void)[] | undefined = []
  #isLeft = false
  /** The lengths of elements that the owner has not processed. */
  readonly #ahead: number[] = []
  #aheadBytes = 0
  #room: PromiseWithResolvers<void> | undefined
  /** Bytes written to the client, and how many of them are reported as read. */
  #written = 0
  #told = 0

  constructor (edge: Edge, home: NodeId, id: string, stream: EdgeStream) {
    this.#edge = edge
    this.home = home
    this.id = id
    this.#stream = stream
  }

  get isBound (): boolean {
    return this.#jid !== undefined
  }

  get jid (): Jid {
    if (!this.#jid) throw new Error('nothing is bound')
    return this.#jid
  }

  /** The owner has bound or resumed this address. */
  bound (jid: Jid): void {
    this.#jid = jid
  }

  /** The client has been told. */
  goOn (): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const write of early) write()
  }

  take (frame: Frame): void | Promise<void> {
    const bytes = frameBytes(frame)
    this.#edge.bus.tell(this.home, 'stream.element', { stream: this.id }, bytes)
    this.#ahead.push(bytes.length)
    this.#aheadBytes += bytes.length
    if (this.#mayTake || this.#isLeft) return
    this.#room = Promise.withResolvers()
    return this.#room.promise
  }

  get #mayTake (): boolean {
    return this.#ahead.length < MAX_AHEAD && this.#aheadBytes < MAX_AHEAD_BYTES
  }

  /** The owner charges the client for a large answer. */
  charge (bytes: number): void {
    this.#stream.charge(bytes)
  }

  /** The owner has processed more elements. */
  taken (count: number): void {
    for (const length of this.#ahead.splice(0, count)) this.#aheadBytes -= length
    if (this.#mayTake) this.#makeRoom()
  }

  #makeRoom (): void {
    this.#room?.resolve()
    this.#room = undefined
  }

  ping (): void {
    this.#edge.bus.tell(this.home, 'stream.ping', { stream: this.id })
  }

  /** The owner has output for the client. */
  write (bytes: Buffer, lengths: readonly number[] | undefined): void {
    if (this.#early) {
      this.#early.push(() => { this.write(bytes, lengths) })
      return
    }
    this.#written += bytes.length
    if (lengths) {
      let at = 0
      for (const length of lengths) this.#stream.relay(bytes.subarray(at, at += length))
    } else {
      this.#stream.relay(bytes)
    }
    if (!this.#isLeft && !this.tellRead()) this.#edge.watch(this)
  }

  /** Reports read progress to the owner, in steps; returns whether the client has little left to read. */
  tellRead (): boolean {
    const read = this.#written - this.#stream.bufferedBytes
    if (read - this.#told >= READ_STEP_BYTES) {
      this.#edge.bus.tell(this.home, 'stream.read', { stream: this.id, bytes: read - this.#told })
      this.#told = read
    }
    return this.#written - this.#told < READ_STEP_BYTES
  }

  /** The owner has ended the stream. */
  close (error: StreamError | undefined): void {
    this.leave()
    this.#stream.close(error)
  }

  /**
   * The owner is gone, and its sessions are resumed at another node by clients that reconnect. The error is
   * <internal-server-error/>: by RFC 6120 §4.9.3.15 it stands for faults within the service, and <reset/> is about keys
   * and features. slixmpp, @xmpp/client and Conversations keep the session's id after this error and resume when they
   * reconnect; they would change their resource after <conflict/> and give up after <policy-violation/> or
   * <host-unknown/>.
   */
  broken (): void {
    if (!this.#isLeft)
      this.close(new StreamError('internal-server-error', "the session's node is gone: come back and go on"))
  }

  closed (): void {
    this.#isClosed = true
  }

  /** The client disconnected; the owner is told after the client's elements. */
  lost (mayResume: boolean): void {
    if (this.#isLeft) return
    this.leave()
    this.#edge.bus.tell(this.home, 'stream.lost', { stream: this.id, mayResume, isClosed: this.#isClosed })
  }

  /** Nothing is relayed from now on, and the owner knows. */
  leave (): void {
    this.#isLeft = true
    this.#edge.remove(this)
    this.#makeRoom()
  }
}
