/**
 * What a room has sent to those who are in, and their homes have not taken yet: where a node does not answer, that waits
 * for it until it does, or is gone. Meanwhile a room takes nothing more of which it would have to tell all.
 */
import { StanzaError } from '../../xmpp/errors.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import type { Portion, Shares } from '../../util/shares.ts'
import type { Room } from '../room/room.ts'

/** What may wait of all rooms together, and of one. */
export const MAX_BYTES = 256 * 1024 * 1024
export const MAX_BYTES_OF_ONE = 32 * 1024 * 1024
/** What a copy takes besides its content, which it has in common with the others. */
const COPY_BYTES = 1024

/** What one room sends to many at once. */
export class UnderWay {
  readonly #shares: Shares
  readonly #room: string
  readonly #portion: Portion = { bytes: 0 }
  readonly #arriving: Promise<void>[] = []
  #content: Buffer | undefined

  constructor (shares: Shares, room: string) {
    this.#shares = shares
    this.#room = room
  }

  /** `done` never rejects. */
  add (stanza: Stanza, done: Promise<void>): void {
    const isShared = stanza.inner === this.#content
    this.#content = stanza.inner
    this.#shares.add(this.#portion, this.#room, COPY_BYTES + (isShared ? 0 : stanza.weight))
    this.#arriving.push(done)
  }

  /** To be called once, when there is no more to add. */
  async arrived (): Promise<void> {
    await Promise.all(this.#arriving)
    this.#shares.remove(this.#portion)
  }
}

/** Throws where too much waits already. Who leaves may leave, and an answer makes room. */
export function checkRoomLeft (shares: Shares, room: Room, { type }: Stanza): void {
  if (type === 'unavailable' || type === 'error' || type === 'result' || type === 'get') return
  if (!shares.hasRoom(room.jid.toString())) {
    throw new StanzaError('resource-constraint', 'the server is busy: try again later')
  }
}
