/**
 * Events that no session has yet: on their way to another node of the cluster, or behind what else is under way to an
 * account. A kill of this node would lose them.
 */
import { neverRejects } from '../util/background.ts'
import { within } from '../util/within.ts'
import type { Jid } from '../xmpp/jid.ts'

/** So long, in milliseconds, an answer waits for them: an account may wait for this very answer. */
const PATIENCE_MS = 2000

export class Deliveries {
  readonly #underWay = new Map<string, Set<Promise<void>>>()

  /** Remembers an event of the owner's nodes until it is handed over; `done` never rejects. */
  add (owner: Jid, done: Promise<void>): void {
    const key = owner.toString()
    const all = this.#underWay.get(key) ?? new Set()
    this.#underWay.set(key, all.add(done))
    neverRejects(done.then(() => {
      all.delete(done)
      if (all.size === 0 && this.#underWay.get(key) === all) this.#underWay.delete(key)
    }))
  }

  /** Resolves when those that are under way now are handed over, or after two seconds. */
  async handedOver (owner: Jid): Promise<void> {
    const all = this.#underWay.get(owner.toString())
    if (all) await within(PATIENCE_MS, Promise.all(all)).catch(() => {}) // late
  }
}
