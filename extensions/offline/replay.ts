/**
 * A session that is being given what was waiting for its account: page by page, so that neither its queue nor its
 * socket is flooded, and before anything that comes meanwhile, which is kept back until the end.
 */
import { setTimeout } from 'node:timers/promises'
import { delay, stamp, storedStanza } from '../../src/extension/api.ts'
import type { ExtensionHost, Message, Session, Stanza } from '../../src/extension/api.ts'
import { readMessages } from './store.ts'
import type { Kept } from './store.ts'
import type { Undelivered } from './undelivered.ts'

/** So many at a time. */
const PAGE = 50
const RETRY_MS = 200
/**
 * When more than that was kept back nothing is waited for any more: then the limits of the session's own queue hold.
 */
const MAX_KEPT = 1000

export class Replay {
  readonly #host: ExtensionHost
  readonly #session: Session
  readonly #undelivered: Undelivered
  readonly #seqs: number[] = []
  /** All that it gives. */
  readonly #own = new Set<number>()
  readonly #kept: Stanza[] = []
  #isPassing = false
  #isOver = false
  /** The last of the page that the client has yet to acknowledge. */
  #awaited: number | undefined
  #goOn: (() => void) | undefined

  constructor (host: ExtensionHost, session: Session, undelivered: Undelivered) {
    this.#host = host
    this.#session = session
    this.#undelivered = undelivered
  }

  /** What it is to be given besides. */
  add (seqs: readonly number[]): void {
    for (const seq of seqs) {
      this.#seqs.push(seq)
      this.#own.add(seq)
    }
  }

  /** Gives the session all that was added. */
  async run (): Promise<void> {
    while (this.#seqs.length > 0 && !this.#isOver) {
      const page = this.#seqs.splice(0, PAGE).filter(seq => this.#undelivered.isFor(seq, this.#session))
      const messages = await this.#read(page)
      if (!this.#isOver) this.#give(page, messages)
      await this.#taken(page)
    }
  }

  /** While the session can wait, so do we: nothing else would bring it what could not be read. */
  async #read (page: readonly number[]): Promise<readonly Kept[]> {
    for (;;) {
      try {
        return await readMessages(this.#host.db, this.#undelivered.owner, page)
      } catch (error) { // the database's: it is away
        if (this.#isHurried) throw error
        this.#host.log.debug({ err: error }, 'what was waiting waits for the database')
      }
      await setTimeout(RETRY_MS)
    }
  }

  #give (page: readonly number[], messages: readonly Kept[]): void {
    const { account, jid } = this.#session
    const missing = new Set(page)
    this.#isPassing = true
    for (const { seq, sentAt, stanza } of messages) {
      missing.delete(seq)
      const message = storedStanza(stanza) as Message
      this.#session.deliver(stamp(message.withPayload(delay(sentAt, jid.domain)), account.jid, String(seq)))
    }
    this.#isPassing = false
    for (const seq of missing) this.#undelivered.confirm(seq) // its owner removed it
  }

  /** Resolves when the client may be sent more. */
  async #taken (page: readonly number[]): Promise<void> {
    const last = page.findLast(seq => this.#undelivered.isWith(seq, this.#session))
    if (last !== undefined && !this.#isHurried) {
      await new Promise<void>(resolve => {
        this.#awaited = last
        this.#goOn = resolve
      })
    }
    const drained = this.#isHurried ? undefined : this.#session.drained()
    if (drained) await Promise.race([drained, new Promise<void>(resolve => { this.#goOn = resolve })])
  }

  get #isHurried (): boolean {
    return this.#isOver || this.#kept.length > MAX_KEPT
  }

  /** The client says that it has one. */
  confirmed (seq: number): void {
    if (this.#awaited !== undefined && seq >= this.#awaited) this.#release()
  }

  #release (): void {
    this.#awaited = undefined
    this.#goOn?.()
  }

  /**
   * Whether the stanza is to wait. What comes from the account itself and is not kept is no part of a conversation:
   * results of a query, notifications.
   */
  keeps (stanza: Stanza): boolean {
    if (this.#isPassing || stanza.kind !== 'message') return false
    if (stanza.archiveId === undefined && (!stanza.from || stanza.from.equals(this.#session.account.jid))) return false
    if (stanza.archiveId !== undefined && this.#own.has(Number(stanza.archiveId))) return true // it has its turn
    this.#kept.push(stanza.copy())
    if (this.#isHurried) this.#release()
    return true
  }

  /** No more is given: what was kept back is what comes next. */
  end (): readonly Stanza[] {
    this.#isOver = true
    this.#release()
    return this.#kept.splice(0)
  }
}
