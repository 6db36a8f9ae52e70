/** The sessions whose clients are inactive, and what is held for each. */
import { SESSION_FLAGS, Shares } from '../../src/extension/api.ts'
import type { ExtensionHost, SessionView, Stanza } from '../../src/extension/api.ts'
import { canWait } from './can-wait.ts'
import { Held } from './held.ts'
import { replicateHeld } from './replicate.ts'

/** The most that is held for all clients, and for those of one account; beyond, they are sent it. */
const MAX_BYTES = 64 * 1024 * 1024
const MAX_BYTES_OF_ONE = 4 * 1024 * 1024

export class InactiveClients {
  readonly #held = new Map<SessionView, Held>()
  readonly #limit: number
  readonly #shares: Shares
  readonly #note: ReturnType<typeof replicateHeld>

  /** `limit`: the bytes that are held for one client. */
  constructor (host: ExtensionHost, limit: number, most = MAX_BYTES, each = MAX_BYTES_OF_ONE) {
    this.#shares = new Shares(most, each)
    this.#limit = limit
    this.#note = replicateHeld(host, this.#held)
  }

  /** What comes from now on and can wait is held. */
  add (session: SessionView): void {
    if (this.#held.has(session)) return
    this.#held.set(session, new Held(this.#shares, session.account.jid.toString()))
  }

  /** The client is active: it is sent what was held. */
  flush (session: SessionView): void {
    const held = this.#held.get(session)
    this.#held.delete(session) // first, so that nothing is held again
    if (held) this.#deliver(session, held)
  }

  /** The session is over. */
  forget (session: SessionView): void {
    this.#held.get(session)?.take()
    this.#held.delete(session)
  }

  /** Whether the stanza is held. One that can't wait comes behind all that was. */
  hold (stanza: Stanza, session: SessionView): boolean {
    const held = this.#held.get(session)
    if (!held) return false
    const isHeld = canWait(stanza, session.jid)
    if (isHeld) this.#keep(stanza, session, held)
    if (!isHeld || held.bytes > this.#limit || !this.#shares.hasRoom(session.account.jid.toString())) {
      this.flush(session)
      this.#held.set(session, held)
    }
    return isHeld
  }

  #keep (stanza: Stanza, session: SessionView, held: Held): void {
    const kept = stanza.copy()
    held.add(kept)
    if (isResumable(session)) this.#note?.(session.account, ['held', session.jid.resource], kept.toBytes())
  }

  #deliver (session: SessionView, held: Held): void {
    const stanzas = held.take()
    for (const stanza of stanzas) session.deliver(stanza)
    if (stanzas.length > 0 && isResumable(session)) this.#note?.(session.account, ['flushed', session.jid.resource])
  }
}

function isResumable ({ flags }: SessionView): boolean {
  return flags.has(SESSION_FLAGS.acks)
}
