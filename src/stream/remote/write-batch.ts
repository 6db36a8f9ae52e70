/** Batches the output for a client of another node: one packet per turn of the event loop. */
import type { Flushable, WriteBarrier } from '../../net/write-barrier.ts'
import type { Transport } from '../../net/transport.ts'
import type { Element } from '../../xml/element.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { writeAlone, writeInStream } from '../framing.ts'

/** Larger packets are split between two elements. */
const MAX_BYTES = 65_536

/** Sends a packet; on a WebSocket with the lengths of its messages. */
export type SendPacket = (bytes: Buffer, lengths: readonly number[] | undefined) => void

export class Bundle implements Flushable {
  readonly #kind: Transport['kind']
  readonly #barrier: WriteBarrier
  readonly #send: SendPacket
  #parts: Buffer[] = []
  /** The elements' lengths. */
  #lengths: number[] = []
  #bytes = 0
  #ended: (() => void) | undefined

  constructor (kind: Transport['kind'], barrier: WriteBarrier, send: SendPacket) {
    this.#kind = kind
    this.#barrier = barrier
    this.#send = send
  }

  /** Bytes that wait to be sent. */
  get bytes (): number { return this.#bytes }

  writeStanza (stanza: Stanza): void {
    const before = this.#bytes
    if (this.#kind === 'websocket') writeAlone(stanza, this)
    else writeInStream(stanza, this)
    this.#end(before)
  }

  writeElement (element: Element): void {
    const before = this.#bytes
    this.write(element.toString())
    this.#end(before)
  }

  /** A part of an element. */
  write (data: Buffer | string): void {
    const part = typeof data === 'string' ? Buffer.from(data) : data
    this.#parts.push(part)
    this.#bytes += part.length
  }

  #end (before: number): void {
    if (this.#lengths.push(this.#bytes - before) === 1) this.#barrier.afterPersisted(this)
  }

  /** Nothing more is written: calls `ended` when all is sent. */
  end (ended: () => void): void {
    if (this.#lengths.length === 0) ended()
    else this.#ended = ended
  }

  /** Sends what there is. */
  flush (): void {
    const lengths = this.#lengths
    const bytes = Buffer.concat(this.#parts, this.#bytes)
    this.#parts = []
    this.#lengths = []
    this.#bytes = 0
    let [start, end, first] = [0, 0, 0]
    for (const [index, length] of lengths.entries()) {
      end += length
      if (end - start < MAX_BYTES && index + 1 < lengths.length) continue
      this.#send(bytes.subarray(start, end), this.#kind === 'websocket' ? lengths.slice(first, index + 1) : undefined)
      start = end
      first = index + 1
    }
    this.#ended?.()
  }
}
