/**
 * Reads a stream's elements: while one takes time, or the peer does not read what it is sent, the next ones wait, and a
 * connection that has sent enough ahead is read no further.
 */
import type { Transport } from '../net/transport.ts'
import type { Frame, StreamEnd, StreamStart, XmlError } from '../xml/framer.ts'
import { ElementPump } from './element-pump.ts'
import type { ElementSource } from './element-pump.ts'
import type { Framing } from './framing.ts'

/** Bytes that are read ahead while an element is being processed. */
const READ_AHEAD_BYTES = 65_536

/** The stream that the elements are for. */
export interface ElementTaker {
  /** No more elements are taken. */
  readonly isOver: boolean
  /** What the next element has to wait for: that the peer reads what it was sent. Undefined where it may come. */
  pending (): Promise<void> | undefined
  /** Takes the next part. A promise means that it can't take another one yet. */
  take (part: Frame | StreamStart | StreamEnd): void | Promise<void>
  /** What was read, or what became of an element, is an error: an XmlError or what `take` threw. */
  fail (error: unknown): void
  /** Nothing that was read is being processed any more. Called after elements that took time. */
  rest (): void
}

export class ElementReader implements ElementSource {
  readonly #transport: Transport
  readonly #framing: Framing
  readonly #taker: ElementTaker
  readonly #pump = new ElementPump(this)
  /** The error after the elements that are still to be processed. */
  #fault: XmlError | undefined
  #isPaused = false

  constructor (transport: Transport, framing: Framing, taker: ElementTaker) {
    this.#transport = transport
    this.#framing = framing
    this.#taker = taker
  }

  /** Whether elements that were read are still to be processed. */
  get isBusy (): boolean { return this.#pump.isBusy }

  push (chunk: Buffer): void {
    this.#framing.push(chunk)
    this.#pump.wake()
    if (this.isBusy && !this.#isPaused && this.#framing.buffered > READ_AHEAD_BYTES) {
      this.#isPaused = true
      this.#transport.pause()
    }
  }

  /** The transport can't read on: a stream error, as from the parser, in its place after the elements before it. */
  stumble (fault: XmlError): void {
    this.#fault = fault
    this.#pump.wake()
  }

  next (): void | Promise<void> | false {
    if (this.#taker.isOver) return false
    const pending = this.#taker.pending()
    if (pending) return pending
    const part = this.#framing.next()
    if (part) return this.#taker.take(part)
    if (this.#fault) throw this.#fault
    return false
  }

  fail (error: unknown): void {
    this.#taker.fail(error)
  }

  rest (): void {
    this.#taker.rest()
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#transport.resume()
  }
}
