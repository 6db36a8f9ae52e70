/**
 * Forwards stanzas to accounts and rooms of other nodes: in order, and again where ownership has moved. A message is in
 * flight until the recipient's owner node has stored it.
 */
import type { Homes } from './homes.ts'
import { Shares } from '../util/shares.ts'
import type { Portion } from '../util/shares.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Stanza } from '../xmpp/stanza.ts'

/** A stanza that was under way. */
export interface Undelivered {
  readonly stanza: Stanza
  /** Of who waits until it is handed over. */
  readonly done: PromiseWithResolvers<void>
}

/** Looks the owner up again, where that node does not own the recipient, or is gone; before all that waits for it. */
type Again = (home: string, all: readonly Undelivered[], refusedBy: string | undefined) => void

/** Limits of waiting stanzas, of all and per sender; beyond them the sender is told to try again. */
const MAX_BYTES = 128 * 1024 * 1024
const MAX_BYTES_OF_ONE = 8 * 1024 * 1024

interface Forwarded extends Undelivered, Portion { readonly node: string }

type Ways = Pick<Homes, 'incarnation' | 'forward' | 'forget' | 'confirmRefusal'>

export class Forwarding {
  readonly #homes: Ways
  readonly #again: Again
  readonly #failed: (stanza: Stanza, error: StanzaError) => void | Promise<void>
  #count = 0
  readonly #underWay = new Map<string, Forwarded[]>()
  readonly #shares: Shares

  /** `failed` tells the sender of a stanza that was not delivered. */
  constructor (
    homes: Ways, again: Again, failed: (stanza: Stanza, error: StanzaError) => void | Promise<void>,
    most = MAX_BYTES, each = MAX_BYTES_OF_ONE,
  ) {
    this.#shares = new Shares(most, each)
    this.#homes = homes
    this.#again = again
    this.#failed = failed
  }

  /**
   * Sends the stanza behind those in flight to that owner, which it must not overtake; undefined where there are none.
   */
  behind (home: string, stanza: Stanza): Promise<void> | undefined {
    const last = this.#underWay.get(home)?.at(-1)
    return last && this.send(last.node, home, stanza)
  }

  /** Whether something is in flight to that owner. */
  isUnderWay (home: string): boolean {
    return this.#underWay.has(home)
  }

  /** Resolves when that owner has handled the stanza, or the sender was told of the failure. */
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
        else this.#lookAgain(home, one) // that node is gone, or the bus broke
      })
    return one.done.promise
  }

  /**
   * False beyond the limit. Messages of rooms to all don't count, as nobody repeats them and their copies share their
   * content. Unavailable presence is not refused, as a contact would otherwise stay online.
   */
  #counts (one: Forwarded): boolean {
    const { stanza } = one
    if (stanza.isMulticast || !stanza.from) return true
    const who = stanza.from.bare.toString()
    if (stanza.type !== 'unavailable' && !this.#shares.hasRoom(who)) return false
    this.#shares.add(one, who, stanza.weight)
    return true
  }

  /**
   * A message without an id, of a stream that does not count stanzas, gets a key for deduplication, as it may be sent
   * twice.
   */
  #named (stanza: Stanza): Stanza {
    if (stanza.kind !== 'message' || stanza.dedupKey !== undefined || stanza.isMulticast) return stanza
    return stanza.withDedupKey(`${this.#homes.incarnation}/${this.#count++}`)
  }

  #settle (home: string, one: Forwarded, error?: StanzaError): void {
    if (!this.#takeOut(home, one)) return
    if (error) one.done.resolve(this.#failed(one.stanza, error))
    else one.done.resolve()
  }

  /** Later stanzas to the owner are sent again as well, in order. */
  #lookAgain (home: string, one: Forwarded, refusedBy?: string): void {
    if (!this.#underWay.get(home)?.includes(one)) return
    this.#homes.forget(home)
    if (refusedBy !== undefined) this.#homes.confirmRefusal(refusedBy, home)
    const all = this.#underWay.get(home) ?? []
    this.#underWay.delete(home)
    for (const one of all) this.#shares.remove(one)
    // A node that refused has not handled it; a node that is gone may have.
    if (refusedBy !== undefined) return this.#again(home, all, refusedBy)
    this.#again(home, all.map(({ stanza, done }) => ({ stanza: stanza.asRedelivery(), done })), undefined)
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
