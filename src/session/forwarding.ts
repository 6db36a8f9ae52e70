/**
 * Stanzas for accounts and rooms whose home is another node: handed to it in order, and again where the home turns out
 * to be elsewhere. A message is in flight until its recipient's home has stored it.
 */
import type { Homes } from './homes.ts'
import { Shares } from '../util/shares.ts'
import type { Portion } from '../util/shares.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Stanza } from '../xmpp/stanza.ts'

/** Finds the home anew, where that node has said that it is not, or else is gone. */
type Again = (stanza: Stanza, refusedBy: string | undefined) => void | Promise<void>

/** What waits at most, of all and of what one sends; who sends more is told to try again. */
const MAX_BYTES = 128 * 1024 * 1024
const MAX_BYTES_OF_ONE = 8 * 1024 * 1024

interface Forwarded extends Portion {
  readonly stanza: Stanza
  readonly node: string
  readonly done: PromiseWithResolvers<void>
}

type Ways = Pick<Homes, 'incarnation' | 'forward' | 'forget'>

export class Forwarding {
  readonly #homes: Ways
  readonly #again: Again
  readonly #failed: (stanza: Stanza, error: StanzaError) => void | Promise<void>
  #count = 0
  readonly #underWay = new Map<string, Forwarded[]>()
  readonly #shares: Shares

  /** `failed` tells the sender of what can't be handed over. */
  constructor (
    homes: Ways, again: Again, failed: (stanza: Stanza, error: StanzaError) => void | Promise<void>,
    most = MAX_BYTES, each = MAX_BYTES_OF_ONE,
  ) {
    this.#shares = new Shares(most, each)
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
    const one: Forwarded = { stanza: this.#named(stanza), node, done: Promise.withResolvers(), bytes: 0 }
    if (!this.#counts(one)) return Promise.resolve(this.#failed(stanza, tooMuch()))
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

  /**
   * False where there is no room. What a room says to all takes none, since nobody says it again: its copies share what
   * they say. Nor is a farewell refused, without which a contact would stay online.
   */
  #counts (one: Forwarded): boolean {
    const { stanza } = one
    if (stanza.isMulticast || !stanza.from) return true
    const who = stanza.from.bare.toString()
    if (stanza.type !== 'unavailable' && !this.#shares.hasRoom(who)) return false
    this.#shares.add(one, who, stanza.weight)
    return true
  }

  /** A message to which its client gave no id, nor its stream a count, gets one: it may have to go again. */
  #named (stanza: Stanza): Stanza {
    if (stanza.kind !== 'message' || stanza.dedupKey !== undefined || stanza.isMulticast) return stanza
    return stanza.withDedupKey(`${this.#homes.incarnation}/${this.#count++}`)
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
    for (const one of all) {
      const { stanza, done } = one
      this.#shares.remove(one)
      // Who refused has not dealt with it; who is gone may have.
      done.resolve(this.#again(refusedBy === undefined ? stanza.asRedelivery() : stanza, refusedBy))
    }
  }

  #takeOut (home: string, one: Forwarded): boolean {
    const list = this.#underWay.get(home)
    const at = list?.indexOf(one) ?? -1
    if (!list || at < 0) return false
    list.splice(at, 1)
    this.#shares.remove(one)
    if (list.length === 0) this.#underWay.delete(home)
    return true
  }
}

function tooMuch (): StanzaError {
  return new StanzaError('resource-constraint', 'the server is busy: try again later')
}
