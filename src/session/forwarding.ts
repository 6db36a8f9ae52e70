/**
 * Stanzas for accounts and rooms whose home is another node: handed to it in order, and again where the home turns out
 * to be elsewhere. A message is in flight until its recipient's home has stored it.
 */
import type { Homes } from './homes.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Stanza } from '../xmpp/stanza.ts'

/** Finds the home anew, where that node has said that it is not, or else is gone. */
type Again = (stanza: Stanza, refusedBy: string | undefined) => void | Promise<void>

interface Forwarded {
  readonly stanza: Stanza
  readonly node: string
  readonly done: PromiseWithResolvers<void>
}

type Ways = Pick<Homes, 'run' | 'forward' | 'forget'>

export class Forwarding {
  readonly #homes: Ways
  readonly #again: Again
  readonly #failed: (stanza: Stanza, error: StanzaError) => void | Promise<void>
  #count = 0
  readonly #underWay = new Map<string, Forwarded[]>()

  /** `failed` tells the sender of what can't be handed over. */
  constructor (
    homes: Ways, again: Again, failed: (stanza: Stanza, error: StanzaError) => void | Promise<void>,
  ) {
    this.#homes = homes
    this.#again = again
    this.#failed = failed
  }

  /** Sends the stanza after what is under way to that home, which it must not overtake; nothing where nothing is. */
  behind (home: string, stanza: Stanza): Promise<void> | undefined {
    const last = this.#underWay.get(home)?.at(-1)
    return last && this.send(last.node, home, stanza)
  }

  /** Resolves when that home has dealt with the stanza, or the sender was told that it can't. */
  send (node: string, home: string, stanza: Stanza): Promise<void> {
    const one: Forwarded = { stanza: this.#named(stanza), node, done: Promise.withResolvers() }
    const list = this.#underWay.get(home)
    if (list) list.push(one)
    else this.#underWay.set(home, [one])
    this.#homes.forward(node, one.stanza).then(
      isHome => { if (isHome) this.#settle(home, one); else this.#lookAgain(home, one, node) },
      error => {
        if (error instanceof StanzaError) this.#settle(home, one, error)
        else this.#lookAgain(home, one) // that node is gone, or the way to it was
      })
    return one.done.promise
  }

  /** A message to which its client gave no id, nor its stream a count, gets one: it may have to go again. */
  #named (stanza: Stanza): Stanza {
    if (stanza.kind !== 'message' || stanza.identity !== undefined || stanza.isCopy) return stanza
    return stanza.identifiedAs(`${this.#homes.run}/${this.#count++}`)
  }

  #settle (home: string, one: Forwarded, error?: StanzaError): void {
    if (!this.#takeOut(home, one)) return
    if (error) one.done.resolve(this.#failed(one.stanza, error))
    else one.done.resolve()
  }

  /** Whatever went after it goes again as well, behind it: nothing overtakes. */
  #lookAgain (home: string, one: Forwarded, refusedBy?: string): void {
    if (!this.#underWay.get(home)?.includes(one)) return
    this.#homes.forget(home)
    const all = this.#underWay.get(home) ?? []
    this.#underWay.delete(home)
    for (const { stanza, done } of all) {
      // Who refused has not dealt with it; who is gone may have.
      done.resolve(this.#again(refusedBy === undefined ? stanza.again() : stanza, refusedBy))
    }
  }

  #takeOut (home: string, one: Forwarded): boolean {
    const list = this.#underWay.get(home)
    const at = list?.indexOf(one) ?? -1
    if (!list || at < 0) return false
    list.splice(at, 1)
    if (list.length === 0) this.#underWay.delete(home)
    return true
  }
}
