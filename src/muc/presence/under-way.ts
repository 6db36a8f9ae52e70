/**
 * The limit on stanzas of rooms in flight to other nodes: they wait while a node does not answer, until it does or is
 * gone. Beyond the limit a room refuses stanzas that it would have to send to all.
 */
import { StanzaError } from '../../xmpp/errors.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import type { Portion, Shares } from '../../util/shares.ts'
import type { Room } from '../room/room.ts'

/** Limits of all rooms together and of one. */
export const MAX_BYTES = 256 * 1024 * 1024
export const MAX_BYTES_OF_ONE = 32 * 1024 * 1024
/** The overhead of one copy, whose content is shared with the others. */
const COPY_BYTES = 1024

/** One room's stanza in flight to many. */
export class UnderWay {
  readonly #shares: Shares
  readonly #room: string
  readonly #portion: Portion = { bytes: 0 }
  readonly #arriving: Promise<void>[] = []
  readonly #contents = new Set<Buffer>()

  constructor (shares: Shares, room: string) {
    this.#shares = shares
    this.#room = room
  }

  /** `done` never rejects. */
  add (stanza: Stanza, done: Promise<void>): void {
    this.#shares.add(this.#portion, this.#room, COPY_BYTES + (this.#contents.has(stanza.inner) ? 0 : stanza.weight))
    this.#contents.add(stanza.inner)
    this.#arriving.push(done)
  }

  /** Called once, when all copies are added. */
  async arrived (): Promise<void> {
    await Promise.all(this.#arriving)
    this.#shares.remove(this.#portion)
  }
}

/** Throws beyond the limit. Leaving is always possible, and answers make room. */
export function checkCapacity (shares: Shares, room: Room, { type }: Stanza): void {
  if (type === 'unavailable' || type === 'error' || type === 'result' || type === 'get') return
  if (!shares.hasRoom(room.jid.toString())) {
    throw new StanzaError('resource-constraint', 'the server is busy: try again later')
  }
}
