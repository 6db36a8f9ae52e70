/** Accounts of which a device has come online lately: what rooms look through when something is said in them. */
import type { Jid } from '../../src/extension/api.ts'

/** A room in which nothing was said for longer than that looks for all its members again. */
const REMEMBERED = 4096

export class Arrivals {
  readonly #recent: Jid[] = []
  #count = 0
  #changes = 0

  /** How many there were so far. */
  get count (): number {
    return this.#count
  }

  /** Another number whenever who is online may be somebody else. */
  get changes (): number {
    return this.#changes
  }

  add (account: Jid): void {
    this.#recent[this.#count++ % REMEMBERED] = account
    this.touch()
  }

  /** Somebody is not online any more, or does not want to be told. */
  touch (): void {
    this.#changes++
  }

  /** Those since there were so many; nothing when that is too long ago. */
  since (count: number): readonly Jid[] | undefined {
    if (this.#count - count > REMEMBERED) return
    return Array.from({ length: this.#count - count }, (_, n) => this.#recent[(count + n) % REMEMBERED] ?? []).flat()
  }
}
