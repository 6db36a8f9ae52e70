/**
 * Reads a stream's elements, one at a time and in order: while one takes time, or the peer does not read what it is
 * sent, the next ones wait, and a connection that has sent enough ahead is read no further.
 */
import type { Transport } from '../net/transport.ts'
import type { Frame, StreamEnd, StreamStart, XmlError } from '../xml/framer.ts'
import { inNextSlice, isSliceOver, newTurn } from '../util/slices.ts'
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

export class ElementReader {
  readonly #transport: Transport
  readonly #framing: Framing
  readonly #taker: ElementTaker
  /** The error after the elements that are still to be processed. */
  #fault: XmlError | undefined
  #isBusy = false
  #isPaused = false

  constructor (transport: Transport, framing: Framing, taker: ElementTaker) {
    this.#transport = transport
    this.#framing = framing
    this.#taker = taker
  }

  /** Whether elements that were read are still to be processed. */
  get isBusy (): boolean { return this.#isBusy }

  push (chunk: Buffer): void {
    newTurn()
    this.#framing.push(chunk)
    if (!this.#isBusy) this.#pump()
    if (this.#isBusy && !this.#isPaused && this.#framing.buffered > READ_AHEAD_BYTES) {
      this.#isPaused = true
      this.#transport.pause()
    }
  }

  /** The transport can't read on: a stream error, as from the parser, in its place after the elements before it. */
  stumble (fault: XmlError): void {
    this.#fault = fault
    if (!this.#isBusy) this.#pump()
  }

  /**
   * Processes complete elements until one takes time, or the slice of this turn of the event loop is over.
   */
  #pump (): void {
    try {
      while (!this.#taker.isOver) {
        let done: void | Promise<void> = this.#taker.pending()
        if (!done) {
          const part = this.#framing.next()
          if (!part && this.#fault) throw this.#fault
          if (!part) return
          done = this.#taker.take(part)
        }
        if (done) {
          this.#isBusy = true
          done.then(() => { if (!this.#waitsInLine()) this.#goOn() }, error => { this.#taker.fail(error) })
          return
        }
        if (this.#waitsInLine()) return
      }
    } catch (error) {
      this.#taker.fail(error)
    }
  }

  /** Whether the rest of what the peer sent waits for another turn of the event loop. */
  #waitsInLine (): boolean {
    if (this.#framing.buffered === 0 || !isSliceOver()) return false
    this.#isBusy = true
    inNextSlice(() => { this.#goOn() })
    return true
  }

  #goOn (): void {
    this.#isBusy = false
    this.#pump()
    if (this.#isBusy) return
    this.#taker.rest()
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#transport.resume()
  }
}
