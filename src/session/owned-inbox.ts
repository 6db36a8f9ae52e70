/**
 * The way of stanzas into accounts, rooms and remote domains, each of which one node owns: dealt with here, one at a
 * time, or handed to the owner behind whatever is on its way there. Nothing overtakes.
 */
import { LRUCache } from 'lru-cache'
import { Forwarding } from './forwarding.ts'
import type { Undelivered } from './forwarding.ts'
import type { Homes } from './homes.ts'
import { neverRejects } from '../util/background.ts'
import type { Turns } from '../util/turns.ts'
import type { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'

/** Refusals that are remembered: one that is forgotten costs order, where the owner changes at once again. */
const MAX_REFUSED = 10_000

/** A stanza that takes a turn. */
export interface Arrival {
  readonly stanza: Stanza
  readonly to: Jid
  readonly key: string
  /** Milliseconds of the monotonic clock. */
  readonly at: number
  /** Another node took this one for the owner. */
  readonly isForwarded: boolean
  /** The node that was taken for the owner, and is not. */
  readonly refusedBy?: string | undefined
}

/** The node that owns what the stanza is for; or else what its sender has to wait for, and the next turn has not. */
export interface Outcome {
  readonly node?: string | undefined
  readonly handedOver?: void | Promise<unknown>
}

/** Accounts, rooms, or remote domains. */
export interface Owned {
  readonly turns: Turns
  /** Whether this node may hand on what another has forwarded to it, as it was the owner. */
  readonly mayHandOn?: boolean
  /** The key under which it is owned, where that is not the bare address. */
  readonly keyOf?: (to: Jid) => string
  /** Deals with the stanza where that needs no turn of its own; false where it does. */
  takeNow (stanza: Stanza, to: Jid, key: string): void | Promise<void> | false
  /** The other node that is known as the owner. */
  elsewhere (key: string): string | undefined
  /** Finds the owner, and deals with the stanza where that is this node. */
  takeInTurn (arrival: Arrival): Promise<Outcome>
}

export class OwnedInbox {
  readonly #owned: Owned
  /** Nodes and keys for which a stanza of the node was refused, and it has not heard of that yet. */
  readonly #refused = new LRUCache<string, true>({ max: MAX_REFUSED })
  readonly #forwarding: Forwarding | undefined

  /** `failed` tells the sender of what can't be handed over; `homes` where this is one node of many. */
  constructor (
    owned: Owned,
    homes: Homes | undefined,
    failed: (stanza: Stanza, error: StanzaError) => void | Promise<void>,
  ) {
    this.#owned = owned
    homes?.whenRefusalHeard((node, key) => {
      neverRejects(owned.turns.inTurn(key, () => { this.#refused.delete(`${node} ${key}`) }))
    })
    this.#forwarding = homes &&
      new Forwarding(homes, (key, all, refusedBy) => { this.receiveAgain(key, all, refusedBy) }, failed)
  }

  #keyOf (to: Jid): string {
    return this.#owned.keyOf ? this.#owned.keyOf(to) : to.bare.toString()
  }

  /** A promise means: not handed over yet. */
  receive (stanza: Stanza, to: Jid): void | Promise<void> {
    const { turns } = this.#owned
    const key = this.#keyOf(to)
    if (turns.isBusy(key)) return this.#receiveInTurn(stanza, to)
    const behind = this.#forwarding?.behind(key, stanza)
    if (behind) return behind
    const done = this.#owned.takeNow(stanza, to, key)
    if (done !== false) return done
    const node = this.#owned.elsewhere(key)
    return node === undefined ? this.#receiveInTurn(stanza, to) : this.#forwarding?.send(node, key, stanza)
  }

  /** As `receive`, for the other node `from`: false where this is not the owner, or was not for an earlier stanza. */
  receiveHere (stanza: Stanza, to: Jid, from: string): boolean | Promise<boolean> {
    const { turns } = this.#owned
    const key = this.#keyOf(to)
    const mustWait = turns.isBusy(key) || this.#refuses(from, key)
    const done = mustWait ? false : this.#owned.takeNow(stanza, to, key)
    if (done !== false) return done ? done.then(() => true) : true
    return this.#receiveForwarded({ stanza, to, key, at: performance.now(), isForwarded: true }, from)
  }

  /** Takes stanzas anew, in order and before all that wait for their turn: those have come later. */
  receiveAgain (key: string, all: readonly Undelivered[], refusedBy?: string): void {
    this.#owned.turns.first(key, all.map(one => () => this.#takeAgain(key, one, refusedBy)))
  }

  async #takeAgain (key: string, { stanza, done }: Undelivered, refusedBy: string | undefined): Promise<void> {
    const { to } = stanza
    if (!to) return done.resolve()
    try {
      const { handedOver } = await this.#take({
        stanza, to, key, at: performance.now(), isForwarded: false, refusedBy,
      })
      done.resolve(handedOver ? handedOver.then(() => {}) : undefined)
    } catch (error) { // of the look-up: the sender hears of it
      done.reject(error)
    }
  }

  /** What is stored or forwarded is waited for by its sender, and not by the next turn. */
  async #receiveInTurn (stanza: Stanza, to: Jid): Promise<void> {
    const key = this.#keyOf(to)
    const arrival = { stanza, to, key, at: performance.now(), isForwarded: false }
    let outcome: Outcome = {}
    await this.#owned.turns.inTurn(key, async () => { outcome = await this.#take(arrival) })
    await outcome.handedOver
  }

  /** In the key's turn. */
  async #take (arrival: Arrival): Promise<Outcome> {
    const { key, stanza } = arrival
    const behind = this.#forwarding?.behind(key, stanza)
    if (behind) return { handedOver: behind }
    const { node, handedOver } = await this.#owned.takeInTurn(arrival)
    return { handedOver: node === undefined ? handedOver : this.#forwarding?.send(node, key, stanza) }
  }

  async #receiveForwarded (arrival: Arrival, from: string): Promise<boolean> {
    const { key } = arrival
    let outcome: Outcome | undefined
    await this.#owned.turns.inTurn(key, async () => {
      if (!this.#refuses(from, key)) outcome = await this.#owned.takeInTurn(arrival)
      if (!isHere(outcome)) this.#refused.set(`${from} ${key}`, true)
    })
    await outcome?.handedOver
    return isHere(outcome)
  }

  /**
   * Whether what `from` forwards would overtake an earlier stanza of its, which was refused, or which this node is
   * handing on to another.
   */
  #refuses (from: string, key: string): boolean {
    if (this.#owned.mayHandOn && this.#forwarding?.isUnderWay(key)) return true
    return this.#refused.size > 0 && this.#refused.has(`${from} ${key}`)
  }
}

function isHere (outcome: Outcome | undefined): boolean {
  return outcome !== undefined && outcome.node === undefined
}
