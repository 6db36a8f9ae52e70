/**
 * The way of stanzas into accounts, rooms and remote domains, each of which one node owns: dealt with here, one at a
 * time, or handed to the owner behind whatever is on its way there. Nothing overtakes.
 */
import { Forwarding } from './forwarding.ts'
import type { Homes } from './homes.ts'
import type { Turns } from '../util/turns.ts'
import type { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'

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
  readonly #forwarding: Forwarding | undefined

  /** `failed` tells the sender of what can't be handed over; `homes` where this is one node of many. */
  constructor (
    owned: Owned,
    homes: Homes | undefined,
    failed: (stanza: Stanza, error: StanzaError) => void | Promise<void>,
  ) {
    this.#owned = owned
    this.#forwarding = homes &&
      new Forwarding(homes, (stanza, refusedBy) => this.#receiveAgain(stanza, refusedBy), failed)
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

  /** As `receive`, for another node: false where this is not the owner. */
  receiveHere (stanza: Stanza, to: Jid): boolean | Promise<boolean> {
    const { turns } = this.#owned
    const key = this.#keyOf(to)
    const done = turns.isBusy(key) ? false : this.#owned.takeNow(stanza, to, key)
    if (done === false) return this.#receiveForwarded({ stanza, to, key, at: performance.now(), isForwarded: true })
    return done ? done.then(() => true) : true
  }

  #receiveAgain (stanza: Stanza, refusedBy: string | undefined): void | Promise<void> {
    if (stanza.to) return this.#receiveInTurn(stanza, stanza.to, refusedBy)
  }

  /** What is stored or forwarded is waited for by its sender, and not by the next turn. */
  async #receiveInTurn (stanza: Stanza, to: Jid, refusedBy?: string): Promise<void> {
    const key = this.#keyOf(to)
    const arrival = { stanza, to, key, at: performance.now(), isForwarded: false, refusedBy }
    let handedOver: void | Promise<unknown> = undefined
    await this.#owned.turns.inTurn(key, async () => {
      handedOver = this.#forwarding?.behind(key, stanza)
      if (handedOver) return
      const outcome = await this.#owned.takeInTurn(arrival)
      handedOver = outcome.node === undefined ? outcome.handedOver : this.#forwarding?.send(outcome.node, key, stanza)
    })
    await handedOver
  }

  async #receiveForwarded (arrival: Arrival): Promise<boolean> {
    let outcome: Outcome = {}
    await this.#owned.turns.inTurn(arrival.key, async () => { outcome = await this.#owned.takeInTurn(arrival) })
    await outcome.handedOver
    return outcome.node === undefined
  }
}
