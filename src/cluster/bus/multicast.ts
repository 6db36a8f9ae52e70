/** A stanza with many recipients at one node, in one turn of the event loop: its bytes are sent once. */
import type { Flushable, WriteBarrier } from '../../net/write-barrier.ts'
import type { Stanza } from '../../xmpp/stanza.ts'

export class MulticastBatch implements Flushable {
  readonly #first: Stanza
  readonly #to: string[] = []
  readonly #ask: (to: readonly string[]) => Promise<{ readonly moved: readonly number[] }>
  readonly #moved = Promise.withResolvers<ReadonlySet<number>>()
  #isSent = false

  constructor (
    first: Stanza,
    barrier: WriteBarrier,
    ask: (to: readonly string[]) => Promise<{ readonly moved: readonly number[] }>,
  ) {
    this.#first = first
    this.#ask = ask
    barrier.afterPersisted(this)
  }

  isFor (stanza: Stanza): boolean {
    return stanza.isSameMulticast(this.#first)
  }

  async add ({ to }: Stanza): Promise<boolean> {
    const place = this.#to.push(to?.toString() ?? '') - 1
    return !(await this.#moved.promise).has(place)
  }

  /** Sends the batch. */
  flush (): void {
    if (this.#isSent) return
    this.#isSent = true
    this.#moved.resolve(this.#ask(this.#to).then(({ moved }) => new Set(moved)))
  }
}
