/** What was heard of messages since the database was told: little per conversation, however much was said in it. */
import type { StatusUpdate } from './store.ts'

/** So many ids of receipts, and of markers: the latest. */
const MAX_IDS = 4
/** No client has longer ids; of those that are nothing is kept while the database is away. */
const MAX_LENGTH = 256

interface Conversation {
  /** The last message of it that came to a device of the peer, by its place in the peer's archive. */
  last: number
  lastId: string | undefined
  readonly received: string[]
  readonly displayed: string[]
}

export class StatusBuffer {
  readonly #byOwner = new Map<string, Map<string, Conversation>>()

  /** A device of the peer's, whose archive is here, has a message of the owner's. */
  delivered (owner: string, peer: string, id: string, seq: number): void {
    if (id.length > MAX_LENGTH) return
    const conversation = this.#conversation(owner, peer)
    if (seq <= conversation.last) return
    conversation.last = seq
    conversation.lastId = id
  }

  /** The peer's client says that it has it (XEP-0184). */
  received (owner: string, peer: string, id: string): void {
    if (id.length <= MAX_LENGTH) keep(this.#conversation(owner, peer).received, id)
  }

  /** The peer's client says that it showed it, and all before it (XEP-0333). */
  displayed (owner: string, peer: string, id: string): void {
    if (id.length <= MAX_LENGTH) keep(this.#conversation(owner, peer).displayed, id)
  }

  #conversation (owner: string, peer: string): Conversation {
    let conversations = this.#byOwner.get(owner)
    if (!conversations) this.#byOwner.set(owner, conversations = new Map())
    let conversation = conversations.get(peer)
    if (!conversation)
      conversations.set(peer, conversation = { last: 0, lastId: undefined, received: [], displayed: [] })
    return conversation
  }

  /** A peer's account is no more. */
  forget (peer: string): void {
    for (const conversations of this.#byOwner.values()) conversations.delete(peer)
  }

  /** All of it, once. */
  take (): readonly StatusUpdate[] {
    const updates: StatusUpdate[] = []
    for (const [owner, conversations] of this.#byOwner) {
      for (const [peer, { lastId, received, displayed }] of conversations) {
        if (lastId !== undefined) updates.push({ owner, peer, id: lastId, isDisplayed: false })
        for (const id of received) if (id !== lastId) updates.push({ owner, peer, id, isDisplayed: false })
        for (const id of displayed) updates.push({ owner, peer, id, isDisplayed: true })
      }
    }
    this.#byOwner.clear()
    return updates
  }

  /** What could not be told to the database. */
  putBack (updates: readonly StatusUpdate[]): void {
    for (const { owner, peer, id, isDisplayed } of updates) {
      if (isDisplayed) this.displayed(owner, peer, id)
      else this.received(owner, peer, id)
    }
  }
}

function keep (ids: string[], id: string): void {
  if (ids.push(id) > MAX_IDS) ids.shift()
}
