/**
 * Stanzas for accounts whose home is another node: handed to it in order, and again where the home turns out to be
 * elsewhere. A message is in flight until its recipient's home has stored it.
 */
import type { Homes } from '../session/homes.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Stanza } from '../xmpp/stanza.ts'

interface Forwarded {
  readonly stanza: Stanza
  readonly done: PromiseWithResolvers<void>
}

export class Forwarding {
  readonly #homes: Pick<Homes, 'forward' | 'forget'>
  readonly #again: (stanza: Stanza) => void | Promise<void>
  readonly #failed: (stanza: Stanza, error: StanzaError) => void | Promise<void>
  readonly #underWay = new Map<string, Forwarded[]>()

  /** `again` finds the home anew; `failed` tells the sender of what can't be handed over. */
  constructor (
    homes: Pick<Homes, 'forward' | 'forget'>, again: (stanza: Stanza) => void | Promise<void>,
    failed: (stanza: Stanza, error: StanzaError) => void | Promise<void>,
  ) {
    this.#homes = homes
    this.#again = again
    this.#failed = failed
  }

  /** Resolves when the account's home has dealt with the stanza, or the sender was told that it can't. */
  send (node: string, account: string, stanza: Stanza): Promise<void> {
    const one: Forwarded = { stanza, done: Promise.withResolvers() }
    const list = this.#underWay.get(account)
    if (list) list.push(one)
    else this.#underWay.set(account, [one])
    this.#homes.forward(node, stanza).then(
      isHome => { if (isHome) this.#settle(account, one); else this.#lookAgain(account, one) },
      error => {
        if (error instanceof StanzaError) this.#settle(account, one, error)
        else this.#lookAgain(account, one) // that node is gone, or the way to it was
      })
    return one.done.promise
  }

  #settle (account: string, one: Forwarded, error?: StanzaError): void {
    if (!this.#takeOut(account, one)) return
    if (error) one.done.resolve(this.#failed(one.stanza, error))
    else one.done.resolve()
  }

  /** Whatever went after it goes again as well, behind it: nothing overtakes. */
  #lookAgain (account: string, one: Forwarded): void {
    if (!this.#underWay.get(account)?.includes(one)) return
    this.#homes.forget(account)
    const all = this.#underWay.get(account) ?? []
    this.#underWay.delete(account)
    for (const { stanza, done } of all) done.resolve(this.#again(stanza))
  }

  #takeOut (account: string, one: Forwarded): boolean {
    const list = this.#underWay.get(account)
    const at = list?.indexOf(one) ?? -1
    if (!list || at < 0) return false
    list.splice(at, 1)
    if (list.length === 0) this.#underWay.delete(account)
    return true
  }
}
