/** The ids of recently copied sent messages: sessions that got such a copy also get the error that answers it. */
import type { AccountView, Jid, Message } from '../../src/extension/api.ts'

/** The most messages remembered per account. */
const LIMIT = 100

export class SentIds {
  readonly #byAccount = new WeakMap<AccountView, Map<string, Jid>>()

  add (account: AccountView, { id, to }: Message): void {
    if (id === undefined || !to) return
    let ids = this.#byAccount.get(account)
    if (!ids) this.#byAccount.set(account, ids = new Map())
    ids.set(id, to)
    const [oldest] = ids.keys()
    if (ids.size > LIMIT && oldest !== undefined) ids.delete(oldest)
  }

  /** Whether the error answers a remembered message. */
  has (account: AccountView, { id, from }: Message): boolean {
    const to = id === undefined ? undefined : this.#byAccount.get(account)?.get(id)
    return to !== undefined && from !== undefined && to.bare.equals(from.bare)
  }
}
