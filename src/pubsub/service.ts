/**
 * The service of nodes of each host, at pubsub.HOST (XEP-0060). In a cluster one node owns it, as another owns a room:
 * the one at its place (rendezvous hashing).
 */
import type { IqTable } from '../routing/iq-table.ts'
import type { Destination, Router } from '../routing/router.ts'
import type { Homes } from '../session/homes.ts'
import { OwnedInbox } from '../session/owned-inbox.ts'
import type { Arrival, Outcome } from '../session/owned-inbox.ts'
import { Turns } from '../util/turns.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Message, Stanza } from '../xmpp/stanza.ts'

/** The domain of a host's nodes. */
export function pubsubDomain (host: string): string {
  return `pubsub.${host}`
}

export interface ServiceParts {
  readonly router: Router
  readonly iqs: IqTable
  readonly homes: Homes | undefined
  /** Takes an owner's answer to who may subscribe, or a message that came back. Never rejects. */
  readonly receiveMessage: (message: Message, from: Jid, to: Jid) => Promise<void>
}

export class PubsubService implements Destination {
  readonly #parts: ServiceParts
  readonly #inbox: OwnedInbox
  /** The services that this node owns; all of them where it is alone. */
  readonly #owned = new Set<string>()

  constructor (parts: ServiceParts) {
    this.#parts = parts
    const { homes, router } = parts
    this.#inbox = new OwnedInbox({
      turns: new Turns(),
      keyOf: ({ domain }) => domain,
      takeNow: (stanza, to, key) => !homes || this.#owned.has(key) ? this.#take(stanza, to) : false,
      elsewhere: key => this.#owned.has(key) ? undefined : homes?.elsewhere(key),
      takeInTurn: arrival => this.#takeInTurn(arrival),
    }, homes, (stanza, error) => router.bounce(stanza, error))
  }

  /** The services that this node owns. */
  atHome (): readonly string[] {
    return [...this.#owned]
  }

  /** After a lost lease: whether this node still owns the service. */
  reclaimed (key: string, isOurs: boolean): void {
    if (!isOurs) this.#owned.delete(key)
  }

  /** Releases a service for another node. */
  giveUp (key: string): void {
    if (this.#owned.delete(key)) this.#parts.homes?.release(key, false)
  }

  receive (stanza: Stanza): void | Promise<void> {
    if (stanza.to && stanza.from) return this.#inbox.receive(stanza, stanza.to)
  }

  receiveHere (stanza: Stanza, node: string): boolean | Promise<boolean> {
    return stanza.to && stanza.from ? this.#inbox.receiveHere(stanza, stanza.to, node) : true
  }

  async #takeInTurn ({ stanza, to, key, isForwarded, refusedBy }: Arrival): Promise<Outcome> {
    const node = await this.#claim(key, isForwarded, refusedBy)
    return node === undefined ? { handedOver: this.#take(stanza, to) } : { node }
  }

  /** The node that owns the service or should; undefined where it is this one from now on. */
  async #claim (key: string, isForwarded: boolean, refusedBy: string | undefined): Promise<string | undefined> {
    const { homes } = this.#parts
    if (!homes || this.#owned.has(key)) return
    const place = homes.place(key)
    if (!isForwarded && place !== homes.incarnation && place !== refusedBy) return (await homes.find(key)).node ?? place
    const { incarnation } = homes
    const { node } = await homes.claim(key)
    if (node === undefined && homes.incarnation === incarnation) this.#owned.add(key)
    return node
  }

  #take (stanza: Stanza, to: Jid): void | Promise<void> {
    const { iqs, router, receiveMessage } = this.#parts
    const { from } = stanza
    if (!from) return
    if (stanza.kind === 'message') return receiveMessage(stanza, from, to)
    if (stanza.kind !== 'iq' || (stanza.type !== 'get' && stanza.type !== 'set')) return
    const targets = to.isDomain ? ['pubsub' as const] : []
    return iqs.answer(stanza, targets, to, from, undefined, reply => { router.post(reply) })
  }
}
