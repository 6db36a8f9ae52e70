/**
 * Whether a component has read what was sent to it. XEP-0114 has no acknowledgements, and a stream is read in order:
 * the answer to a ping (XEP-0199), whatever it says, means that everything before it was read.
 */
import { neverRejects } from '../util/background.ts'
import { randomId } from '../util/ids.ts'
import { el } from '../xml/element.ts'
import type { Jid } from '../xmpp/jid.ts'
import { iq } from '../xmpp/stanza.ts'
import type { Iq } from '../xmpp/stanza.ts'

const PING = el('ping', 'urn:xmpp:ping')
const PING_MS = 30_000

export interface ConfirmationsParts {
  readonly from: Jid
  readonly to: Jid
  readonly send: (ping: Iq) => void
  readonly drained: () => Promise<void> | undefined
  /** Whether the component has ever answered a ping: one that never does is believed on the strength of TCP. */
  readonly answersPings: () => boolean
  /** It has not answered, and never did. */
  readonly silent: () => void
  /** It has not answered, and did before: the stream must end. */
  readonly dead: () => void
  readonly pingMs?: number | undefined
}

interface Ping { readonly id: string, readonly done: PromiseWithResolvers<void>, readonly timer: NodeJS.Timeout }

export class Confirmations {
  readonly #parts: ConfirmationsParts
  /** In the order in which they were sent: the answer to one answers for those before. */
  readonly #waiting: Ping[] = []
  #hasSentSince = true
  #isSilent = false

  constructor (parts: ConfirmationsParts) {
    this.#parts = parts
  }

  /** Something was sent that the last ping does not cover. */
  sent (): void {
    this.#hasSentSince = true
  }

  /** Resolves when the component has read what was sent so far; rejects when its stream is lost. */
  confirm (): Promise<void> {
    if (this.#isSilent) return this.#parts.drained() ?? Promise.resolve()
    const last = this.#waiting.at(-1)
    if (last && !this.#hasSentSince) return last.done.promise
    this.#hasSentSince = false
    const { from, to, send, pingMs = PING_MS } = this.#parts
    const id = randomId()
    const timer = setTimeout(() => { this.#unanswered() }, pingMs)
    const ping: Ping = { id, done: Promise.withResolvers(), timer }
    this.#waiting.push(ping)
    send(iq('get', { from, to, id }, PING))
    return ping.done.promise
  }

  /** Finds out whether the stream still works. */
  ping (): void {
    if (!this.#isSilent) this.confirm().catch(() => {}) // who is lost is told so elsewhere
  }

  /** Takes the answer to a ping: false where it is none. */
  take ({ type, id }: Iq): boolean {
    if (type !== 'result' && type !== 'error') return false
    const index = this.#waiting.findIndex(ping => ping.id === id)
    if (index === -1) return false
    this.#end(this.#waiting.splice(0, index + 1))
    return true
  }

  #unanswered (): void {
    if (this.#parts.answersPings()) return this.#parts.dead()
    this.#isSilent = true
    this.#parts.silent()
    const all = this.#waiting.splice(0)
    const drained = this.#parts.drained()
    if (drained) neverRejects(drained.then(() => { this.#end(all) })) // as `drained` does
    else this.#end(all)
  }

  #end (pings: readonly Ping[]): void {
    for (const { done, timer } of pings) {
      clearTimeout(timer)
      done.resolve()
    }
  }

  lost (reason: Error): void {
    for (const { done, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer)
      done.promise.catch(() => {}) // nobody may be waiting
      done.reject(reason)
    }
  }
}
