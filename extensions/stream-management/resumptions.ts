/**
 * XEP-0198 §5: resumption. Sessions without a stream wait for a while for their clients; for longer the count of
 * handled stanzas is remembered, so that clients need not send anything twice.
 */
import { LRUCache } from 'lru-cache'
import { el, StreamError } from '../../src/extension/api.ts'
import type { Element, Jid, Resumption, SessionView, StanzaError } from '../../src/extension/api.ts'
import { parseCount } from './ack-queue.ts'
import { NS } from './managed-session.ts'
import type { ManagedSession } from './managed-session.ts'

const NS_STANZA_ERRORS = 'urn:ietf:params:xml:ns:xmpp-stanzas'

/** The number of accounts, and of sessions of each, whose counts are remembered, and for how long. */
const MAX_ACCOUNTS = 20_000
const MAX_ENDED = 20
const ENDED_MS = 24 * 3_600_000

/** The remembered count of handled stanzas of an ended session. */
interface Ended { readonly id: string, readonly handled: number }

export class Resumptions {
  readonly #byId = new Map<string, ManagedSession>()
  /** Sessions without a stream, and when they expire. */
  readonly #waiting = new Map<ManagedSession, number>()
  /** By account, newest last: one account's sessions do not displace those of others. */
  readonly #ended = new LRUCache<string, readonly Ended[]>({ max: MAX_ACCOUNTS, ttl: ENDED_MS })
  readonly #acknowledge: (managed: ManagedSession, h: number) => void

  /** `acknowledge` is called with what clients have when they resume. */
  constructor (acknowledge: (managed: ManagedSession, h: number) => void) {
    this.#acknowledge = acknowledge
  }

  add (managed: ManagedSession): void {
    if (managed.id !== undefined) this.#byId.set(managed.id, managed)
  }

  /** The session's stream is gone. */
  keep (managed: ManagedSession): void {
    this.#sleep(managed)
    managed.limitAsleep()
  }

  #sleep (managed: ManagedSession): void {
    const now = performance.now()
    this.#waiting.set(managed, now + managed.seconds * 1000)
    managed.sleep(now)
  }

  /** Sessions that were not resumed in time. */
  late (): readonly SessionView[] {
    const now = performance.now()
    return [...this.#waiting].filter(([, until]) => until <= now).map(([{ session }]) => session)
  }

  get waiting (): readonly SessionView[] {
    return [...this.#waiting.keys()].map(({ session }) => session)
  }

  /** It can't be resumed any more. */
  remove (managed: ManagedSession): void {
    this.forget(managed)
    const { id, handled, session: { account } } = managed
    if (id === undefined) return
    const key = account.jid.toString()
    this.#ended.set(key, [...(this.#ended.get(key) ?? []).slice(1 - MAX_ENDED), { id, handled }])
  }

  /** Its session goes on at another node. */
  forget (managed: ManagedSession): void {
    this.#waiting.delete(managed)
    if (managed.id !== undefined) this.#byId.delete(managed.id)
  }

  /** Answers `<resume/>`; without an account it is too early. */
  async resume ({ attrs }: Element, account: Jid | undefined): Promise<Resumption> {
    if (!account) return { reply: failed('unexpected-request') } // §3
    const h = parseCount(attrs.h)
    if (attrs.previd === undefined || h === undefined) return { reply: failed('bad-request') }
    const managed = this.#byId.get(attrs.previd)
    if (!managed?.session.account.jid.equals(account.bare)) return { reply: this.#unknown(attrs.previd, account) }
    this.#acknowledge(managed, h)
    this.#takeOver(managed)
    await managed.session.inFlight.settled() // what the old stream brought counts
    if (managed.isEnded) return { reply: failed('item-not-found', managed.handled) }
    return {
      reply: el('resumed', NS, { previd: attrs.previd, h: String(managed.tellHandled()) }),
      session: managed.session,
      resumed: () => {
        this.#waiting.delete(managed)
        managed.sendAgain()
      },
    }
  }

  // §5: an old stream that is still open ends first, so that nothing more comes from it. No other session has to make
  // room: this one sleeps for a moment only.
  #takeOver (managed: ManagedSession): void {
    const { stream } = managed.session
    if (!stream) return
    managed.session.detach()
    this.#sleep(managed)
    stream.close(new StreamError('conflict', 'your session was resumed on another connection'))
  }

  #unknown (id: string, account: Jid): Element {
    const ended = this.#ended.get(account.bare.toString())?.find(one => one.id === id)
    return failed('item-not-found', ended?.handled)
  }
}

/** §6; `handled` is the `h` of a session that is over (§5). */
export function failed (condition: StanzaError['condition'], handled?: number): Element {
  return el('failed', NS, { h: handled === undefined ? undefined : String(handled) }, el(condition, NS_STANZA_ERRORS))
}
