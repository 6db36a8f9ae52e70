/** The sessions whose clients are inactive, and what is held for each. */
import { SESSION_FLAGS } from '../../src/extension/api.ts'
import type { ExtensionHost, SessionView, Stanza } from '../../src/extension/api.ts'
import { canWait } from './can-wait.ts'
import { Held } from './held.ts'
import { replicateHeld } from './replicate.ts'

export class InactiveClients {
  readonly #held = new Map<SessionView, Held>()
  readonly #limit: number
  readonly #note: ReturnType<typeof replicateHeld>

  /** `limit`: the bytes that are held for one client. */
  constructor (host: ExtensionHost, limit: number) {
    this.#limit = limit
    this.#note = replicateHeld(host, this.#held)
  }

  /** What comes from now on and can wait is held. */
  add (session: SessionView): void {
    if (!this.#held.has(session)) this.#held.set(session, new Held())
  }

  /** The client is active: it is sent what was held. */
  flush (session: SessionView): void {
    const held = this.#held.get(session)
    this.#held.delete(session) // first, so that nothing is held again
    if (held) this.#deliver(session, held)
  }

  /** The session is over. */
  forget (session: SessionView): void {
    this.#held.delete(session)
  }

  /** Whether the stanza is held. One that can't wait comes behind all that was. */
  hold (stanza: Stanza, session: SessionView): boolean {
    const held = this.#held.get(session)
    if (!held) return false
    const isHeld = canWait(stanza, session.jid)
    if (isHeld) this.#keep(stanza, session, held)
    if (!isHeld || held.bytes > this.#limit) {
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
