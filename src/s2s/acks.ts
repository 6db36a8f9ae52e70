/**
 * XEP-0198: Stream Management on a stream between servers, without resumption: how many stanzas of the peer are handled
 * for good, and how many of ours the peer has handled.
 */
import { el, parseElement } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Frame } from '../xml/framer.ts'
import { StreamError } from '../xmpp/errors.ts'
import { NS_STANZA_ERRORS } from '../xmpp/ns.ts'

export const NS_SM = 'urn:xmpp:sm:3'

const COUNTS = 2 ** 32

export class Acks {
  readonly #write: (element: Element) => void
  #isEnabled = false
  /** Stanzas of the peer. */
  #taken = 0
  #handled = 0
  /** The peer asked when so many were taken, and is answered when all of them are handled. */
  #askedAt: number | undefined
  /** Stanzas for the peer. */
  #sent = 0
  #confirmed = 0
  #waiting: { readonly count: number, readonly done: PromiseWithResolvers<void> }[] = []

  constructor (write: (element: Element) => void) {
    this.#write = write
  }

  get isEnabled (): boolean { return this.#isEnabled }

  /** Both sides count from now on (§3). */
  start (): void {
    this.#isEnabled = true
  }

  /** Takes `<r/>` or `<a/>` (§4). Throws StreamError. */
  take (frame: Frame): void {
    if (!this.#isEnabled || (frame.name !== 'r' && frame.name !== 'a')) return this.#write(failed('unexpected-request'))
    if (frame.name === 'a') return this.#confirm(parseElement(frame).attrs['h'])
    this.#askedAt = this.#taken
    this.#answer()
  }

  // ——— stanzas of the peer

  taken (): void {
    if (this.#isEnabled) this.#taken++
  }

  /** Called in the order in which they were taken. */
  handled (): void {
    if (!this.#isEnabled) return
    this.#handled++
    this.#answer()
  }

  #answer (): void {
    if (this.#askedAt === undefined || this.#handled < this.#askedAt) return
    this.#askedAt = undefined
    this.#write(el('a', NS_SM, { h: String(this.#handled % COUNTS) }))
  }

  // ——— stanzas for the peer

  sent (): void {
    this.#sent++
  }

  /** Resolves when the peer has handled everything sent so far; rejects when the stream is lost. */
  confirm (): Promise<void> {
    if (this.#sent === this.#confirmed) return Promise.resolve()
    const done = Promise.withResolvers<void>()
    this.#waiting.push({ count: this.#sent, done })
    this.ask()
    return done.promise
  }

  ask (): void {
    this.#write(el('r', NS_SM))
  }

  #confirm (h: string | undefined): void {
    if (h === undefined || !/^\d{1,10}$/.test(h)) throw new StreamError('bad-format', '<a/> needs a number of stanzas')
    const added = (Number(h) - this.#confirmed % COUNTS + COUNTS) % COUNTS
    const unconfirmed = this.#sent - this.#confirmed
    if (added > unconfirmed && added < COUNTS / 2) throw tooHigh(h, this.#sent)
    if (added <= unconfirmed) this.#confirmed += added // a count that goes back is old
    while (this.#waiting[0] && this.#waiting[0].count <= this.#confirmed) this.#waiting.shift()?.done.resolve()
  }

  /** The stream is lost: what is unconfirmed stays so. */
  lost (reason: Error): void {
    for (const { done } of this.#waiting.splice(0)) done.reject(reason)
  }
}

/** `<failed/>` (§3). */
export function failed (condition: string): Element {
  return el('failed', NS_SM, {}, el(condition, NS_STANZA_ERRORS))
}

// §4.
function tooHigh (h: string, sent: number): StreamError {
  return new StreamError('undefined-condition', 'more was acknowledged than was sent', {
    name: 'handled-count-too-high', ns: NS_SM, attrs: { 'h': h, 'send-count': String(sent % COUNTS) },
  })
}
