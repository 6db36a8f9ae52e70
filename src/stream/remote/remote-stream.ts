/**
 * The stream of a session whose client is connected to another node (its edge): output leaves over the bus, and the
 * client's elements arrive by it, one at a time and in order.
 */
import type { Bus, NodeId } from '../../cluster/bus/bus.ts'
import type { EnterRequest } from '../../cluster/bus/protocol.ts'
import type { Logger } from '../../log.ts'
import type { Element } from '../../xml/element.ts'
import type { WriteBarrier } from '../../net/write-barrier.ts'
import { ENOUGH_BYTES } from '../../net/write-queue.ts'
import { storedFrame } from '../../xml/stored.ts'
import { StreamError } from '../../xmpp/errors.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { Bundle } from './write-batch.ts'
import { errorRecord } from './wire-format.ts'
import { ElementPump } from '../element-pump.ts'
import type { ElementSource } from '../element-pump.ts'
import { isUnfinished, MAX_UNREAD_BYTES } from '../session-link.ts'
import type { NegotiatedStream, SessionLink } from '../session-link.ts'
import { notRead } from '../unread.ts'

/** The step in which processed elements are reported: well below the edge's window. */
const TAKEN_STEP = 16
const TAKEN_STEP_BYTES = 65_536

export interface RemoteStreamParts {
  readonly bus: Bus
  readonly barrier: WriteBarrier
  readonly edge: NodeId
  readonly log: Logger
  /** Called when the stream is over. */
  readonly closed: (stream: RemoteStream) => void
}

export class RemoteStream implements NegotiatedStream, ElementSource {
  /** The edge's name for it. */
  readonly id: string
  readonly remoteAddress: string
  readonly lang: string | undefined
  readonly #parts: RemoteStreamParts
  readonly #bundle: Bundle
  #link: SessionLink | undefined
  #isClosed = false
  /** The client disconnected; elements from it may still be processed. */
  #loss: { readonly mayResume: boolean } | undefined
  readonly #elements: Buffer[] = []
  readonly #pump = new ElementPump(this)
  #taken = 0
  #takenBytes = 0
  /** Bytes sent to the edge and not reported as read. */
  #unreadBytes = 0
  #drained: PromiseWithResolvers<void> | undefined

  constructor ({ stream, remoteAddress, lang, transport }: EnterRequest, parts: RemoteStreamParts) {
    this.id = stream
    this.remoteAddress = remoteAddress
    this.lang = lang
    this.#parts = parts
    this.#bundle = new Bundle(transport, parts.barrier, (bytes, lengths) => {
      this.#unreadBytes += bytes.length
      parts.bus.tell(parts.edge, 'stream.write', { stream, lengths }, bytes)
    })
  }

  get edge (): NodeId { return this.#parts.edge }
  get isClosed (): boolean { return this.#isClosed }
  get bufferedBytes (): number { return this.#bundle.bytes + this.#unreadBytes }

  // ——— in

  /** The client's elements go to that link. */
  bound (link: SessionLink): void {
    if (this.#isClosed) return link.lost(true)
    this.#link = link
  }

  take (element: Buffer): void {
    if (this.#isClosed) return
    this.#elements.push(element)
    this.#pump.wake()
  }

  next (): void | Promise<void> | false {
    const element = this.#isClosed ? undefined : this.#elements.shift()
    if (!element) return false
    const done = this.#link?.take(storedFrame(element))
    this.#count(element.length)
    return done
  }

  rest (): void {
    if (this.#loss && !this.#isClosed) this.#finish(this.#loss.mayResume)
  }

  #count (bytes: number): void {
    this.#taken++
    this.#takenBytes += bytes
    if (this.#taken < TAKEN_STEP && this.#takenBytes < TAKEN_STEP_BYTES) return
    this.#parts.bus.tell(this.edge, 'stream.taken', { stream: this.id, count: this.#taken })
    this.#taken = this.#takenBytes = 0
  }

  fail (error: unknown): void {
    if (error instanceof StreamError) return this.close(error)
    this.#parts.log.error({ event: 'stream.failed', err: error, stream: this.id, edge: this.edge }, 'stream: failed')
    this.close(new StreamError('internal-server-error'))
  }

  ping (): void {
    this.#link?.ping()
  }

  /** The client has read more bytes. */
  read (bytes: number): void {
    this.#unreadBytes -= bytes
    if (this.bufferedBytes <= ENOUGH_BYTES) this.#wake()
  }

  charge (bytes: number): void {
    if (!this.#isClosed && !this.#loss) this.#parts.bus.tell(this.edge, 'stream.charge', { stream: this.id, bytes })
  }

  drained (): Promise<void> | undefined {
    if (this.#isClosed || this.#loss || this.bufferedBytes <= ENOUGH_BYTES) return
    this.#drained ??= Promise.withResolvers()
    return this.#drained.promise
  }

  #wake (): void {
    this.#drained?.resolve()
    this.#drained = undefined
  }

  /** The client disconnected. Elements from it are processed first. */
  lost (mayResume: boolean, isClosed = false): void {
    if (this.#isClosed) return
    if (isClosed) this.#link?.closed()
    this.#loss = { mayResume }
    this.#wake()
    if (!this.#pump.isBusy) this.#finish(mayResume)
  }

  #finish (mayResume: boolean): void {
    this.#isClosed = true
    this.#wake()
    this.#link?.lost(mayResume)
    this.#link = undefined
    this.#parts.closed(this)
  }

  // ——— out

  write (stanza: Stanza): void {
    if (this.#isClosed || this.#loss) return
    this.#bundle.writeStanza(stanza)
    if (this.bufferedBytes > MAX_UNREAD_BYTES) this.close(notRead())
  }

  writeElement (element: Element): void {
    if (!this.#isClosed && !this.#loss) this.#bundle.writeElement(element)
  }

  close (error?: StreamError): void {
    if (this.#isClosed) return
    this.#bundle.end(() => {
      this.#parts.bus.tell(this.edge, 'stream.close', { stream: this.id, error: error && errorRecord(error) })
    })
    this.#finish(isUnfinished(error))
  }
}
