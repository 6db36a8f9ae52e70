/** How many invitations somebody may have rooms send, whichever rooms: they go to people who did not ask for them. */
import { LRUCache } from 'lru-cache'
import type { Jid } from '../xmpp/jid.ts'
import { Rate } from './rate.ts'

/** On average; five times as many at once. */
const PER_SECOND = 10

/** Of so many accounts it is known how much they have invited lately. */
const MAX_ACCOUNTS = 10_000

export class InvitationRate {
  readonly #rates = new LRUCache<string, Rate>({ max: MAX_ACCOUNTS })

  /** Takes one, unless that is too much. */
  take ({ bare }: Jid): boolean {
    const key = bare.toString()
    const rate = this.#rates.get(key) ?? new Rate()
    this.#rates.set(key, rate)
    return rate.take(PER_SECOND, performance.now())
  }
}
