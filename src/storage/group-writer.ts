/**
 * Group commit: rows that are added while a group is being written go together in the next one, in the order they were
 * added. No timer: who writes alone does not wait, and a slow disk makes larger groups.
 */
import { neverRejects } from '../util/background.ts'

const LIMIT = 500

interface Group<Row> { readonly rows: Row[], readonly committed: PromiseWithResolvers<void> }

export class GroupWriter<Row> {
  readonly #write: (rows: readonly Row[]) => Promise<void>
  readonly #groups: Group<Row>[] = []
  #isWriting = false
  #isScheduled = false

  /** `write` commits a group, whole or not at all; what it rejects with is the end of every row that waits. */
  constructor (write: (rows: readonly Row[]) => Promise<void>) {
    this.#write = write
  }

  /**
   * Resolves when the row is on disk, after all that were added before it. Rejects with the error of its group or of
   * one before it: nothing overtakes what failed.
   */
  add (row: Row): Promise<void> {
    let group = this.#groups.at(-1)
    if (!group || group.rows.length >= LIMIT || (this.#isWriting && this.#groups.length === 1)) {
      group = { rows: [], committed: Promise.withResolvers() }
      group.committed.promise.catch(() => {}) // whoever added a row hears of it
      this.#groups.push(group)
    }
    group.rows.push(row)
    if (!this.#isScheduled) {
      this.#isScheduled = true
      setImmediate(() => { neverRejects(this.#drain()) }) // whoever added a row hears what fails
    }
    return group.committed.promise
  }

  async #drain (): Promise<void> {
    for (let group = this.#groups[0]; group; group = this.#groups[0]) {
      this.#isWriting = true
      try {
        await this.#write(group.rows)
        this.#groups.shift()
        group.committed.resolve()
      } catch (error) { // the write's own, after all it could try
        for (const failed of this.#groups.splice(0)) failed.committed.reject(error)
      }
      this.#isWriting = false
    }
    this.#isScheduled = false
  }
}
