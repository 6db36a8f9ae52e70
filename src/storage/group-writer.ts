/**
 * Group commit: rows that are added while a group is being written form the next group, in the order they were added.
 * There is no timer: a single row does not wait, and a slow disk leads to larger groups.
 */
import { neverRejects } from '../util/background.ts'

const LIMIT = 500

interface Group<Row> { readonly rows: Row[], readonly committed: PromiseWithResolvers<void> }

export class GroupWriter<Row> {
  readonly #write: (rows: readonly Row[]) => Promise<void>
  readonly #groups: Group<Row>[] = []
  #isWriting = false
  #isScheduled = false

  /** `write` commits a group, whole or not at all; its error rejects all waiting rows. */
  constructor (write: (rows: readonly Row[]) => Promise<void>) {
    this.#write = write
  }

  /**
   * Resolves when the row and all earlier ones are on disk. Rejects with the error of its group or of an earlier one,
   * so that no row overtakes a failed one.
   */
  add (row: Row): Promise<void> {
    let group = this.#groups.at(-1)
    if (!group || group.rows.length >= LIMIT || (this.#isWriting && this.#groups.length === 1)) {
      group = { rows: [], committed: Promise.withResolvers() }
      group.committed.promise.catch(() => {}) // handled by the callers of `add`
      this.#groups.push(group)
    }
    group.rows.push(row)
    if (!this.#isScheduled) {
      this.#isScheduled = true
      setImmediate(() => { neverRejects(this.#drain()) }) // errors reject the groups
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
      } catch (error) { // the write's, after its retries
        for (const failed of this.#groups.splice(0)) failed.committed.reject(error)
      }
      this.#isWriting = false
    }
    this.#isScheduled = false
  }
}
