/** The delivery state of every account in memory, and the replays in progress. */
import { inBackground, SESSION_FLAGS } from '../../src/extension/api.ts'
import type { AccountView, ExtensionHost, Jid, MessageArchive, SessionView, Stanza } from '../../src/extension/api.ts'
import { MAX_LOOKED_AT, Replay } from './replay.ts'
import { Undelivered } from './undelivered.ts'

const NOTHING = { delivered: 0, last: 0 }

/** The most numbers that are read before an account's sessions continue at another node. */
const MAX_WAITING = 250

export class Deliveries {
  readonly #host: ExtensionHost
  readonly #archive: MessageArchive
  readonly #accounts: { of (account: AccountView): Undelivered }
  readonly #replays = new Map<SessionView, Replay>()
  /** The archive's end at a session's first query. */
  readonly #asked = new WeakMap<SessionView, number>()
  /** Called when a session's replay begins, and when it is complete. */
  whenReplaying: (session: SessionView, isOn: boolean) => void = () => {}
  /** Called when a device of the account has confirmed more. */
  whenConfirmed: (account: AccountView) => void = () => {}
  /** Accounts whose position may have changed since it was saved. */
  readonly #moved = new Map<string, Undelivered>()

  constructor (host: ExtensionHost, archive: MessageArchive) {
    this.#host = host
    this.#archive = archive
    this.#accounts = host.accounts.data(async (_db, account) => {
      const owner = account.toString()
      const position = await archive.readPosition(owner) ?? NOTHING
      return this.#moved.get(owner) ?? new Undelivered(owner, position)
    })
  }

  /** A message for the account was archived. */
  add (account: AccountView, seq: number): void {
    this.#accounts.of(account).add(seq)
  }

  /** An archived message is about to be written. */
  given (stanza: Stanza, seq: number, session: SessionView): void {
    if (session.flags.has(SESSION_FLAGS.acks)) this.#accounts.of(session.account).give(seq, session)
    else this.#host.messages.delivered(stanza, session)
  }

  /** A copy of an archived message is about to be written. */
  copied (seq: number, session: SessionView): void {
    this.#accounts.of(session.account).copy(seq, session)
  }

  /** A device has it. */
  confirmed (seq: number, session: SessionView): void {
    const undelivered = this.#accounts.of(session.account)
    undelivered.confirm(seq, session)
    this.#moved.set(undelivered.owner, undelivered)
    this.whenConfirmed(session.account)
    this.#replays.get(session)?.confirmed(seq)
  }

  /** The number up to which all messages are with a device. */
  position (account: AccountView): number {
    return this.#accounts.of(account).position
  }

  /**
   * The account comes from another node, where a device had everything up to there. Messages that the account has sent
   * since are never acknowledged, and would make later ones count as undelivered.
   */
  async takeOver (account: AccountView, position: number): Promise<void> {
    const undelivered = this.#accounts.of(account)
    undelivered.confirmUpTo(position)
    this.#moved.set(undelivered.owner, undelivered)
    if (undelivered.isEmpty) return
    const from = undelivered.position + 1
    const to = Math.min(undelivered.last, from + MAX_LOOKED_AT - 1)
    const seqs = await this.#archive.findReceived(this.#host.db, undelivered.owner, { from, to }, MAX_WAITING)
    undelivered.found(from, seqs.length < MAX_WAITING ? to : seqs.at(-1) ?? to, seqs)
  }

  /** Replays to the session everything that no device has for sure. */
  replay (session: SessionView): void {
    if (!this.#accounts.of(session.account).isEmpty) this.#giveInBackground(session, false)
  }

  /** The session's client is about to get the archive up to now by a query. */
  asked (session: SessionView): void {
    if (!this.#asked.has(session)) this.#asked.set(session, this.#accounts.of(session.account).last)
  }

  /** The session's client has the archive up to its first query. */
  skip (session: SessionView): void {
    const undelivered = this.#accounts.of(session.account)
    undelivered.confirmUpTo(this.#asked.get(session) ?? undelivered.last)
    this.#moved.set(undelivered.owner, undelivered)
  }

  isKept (stanza: Stanza, session: SessionView): boolean {
    return this.#replays.get(session)?.keeps(stanza) ?? false
  }

  /** The session has ended: messages that only it was given go to another session. */
  ended (session: SessionView): void {
    this.#stopReplay(session)
    const { account } = session
    const undelivered = this.#accounts.of(account)
    if (undelivered.isEmpty) return
    // Unacknowledged stanzas could be read after its close (RFC 6120 §4.4), and are in the archive otherwise.
    if (session.isClosed && session.flags.has(SESSION_FLAGS.archive)) {
      undelivered.confirmAllOf(session)
      this.#moved.set(undelivered.owner, undelivered)
    }
    undelivered.takeFrom(session)
    const next = account.sessions.find(session => session.isReachable)
    if (next) this.#giveInBackground(next, true)
  }

  /** Their home is another node. */
  left (sessions: readonly SessionView[]): void {
    for (const session of sessions) {
      this.#replays.get(session)?.end()
      this.#replays.delete(session)
    }
  }

  isReplaying (session: SessionView): boolean {
    return this.#replays.has(session)
  }

  // Held-back stanzas that are in no archive are left to stream management.
  #stopReplay (session: SessionView): void {
    const replay = this.#replays.get(session)
    if (!replay) return
    this.#replays.delete(session)
    for (const stanza of replay.end()) {
      if (stanza.archiveNumber === undefined && session.flags.has(SESSION_FLAGS.acks)) session.deliver(stanza)
    }
  }

  #giveInBackground (session: SessionView, isAbandoned: boolean): void {
    const running = this.#replays.get(session)
    if (running) return running.add(isAbandoned)
    const replay = new Replay(this.#host, this.#archive, session, this.#accounts.of(session.account))
    replay.add(isAbandoned)
    this.#replays.set(session, replay)
    this.whenReplaying(session, true)
    inBackground(this.#host.log, 'replay of offline messages', this.#give(session, replay))
  }

  async #give (session: SessionView, replay: Replay): Promise<void> {
    try {
      do await replay.run()
      while (replay.hasMore)
    } finally { // on a failure, too: the rest stays in the archive, and nothing may stay held back
      const undelivered = this.#accounts.of(session.account)
      this.#moved.set(undelivered.owner, undelivered) // there may have been nothing
      if (this.#replays.delete(session)) {
        for (const stanza of replay.end()) session.deliver(stanza)
        this.whenReplaying(session, false)
      }
    }
  }

  /** Saves the positions. */
  async save (): Promise<void> {
    const moved = [...this.#moved.values()]
    const positions = new Map(moved.filter(one => one.hasMoved).map(one => [one.owner, one.position]))
    if (positions.size > 0) await this.#archive.savePositions(positions)
    for (const one of moved) {
      one.saved(positions.get(one.owner) ?? 0)
      if (!one.hasMoved) this.#moved.delete(one.owner)
    }
  }

  /** The account was removed, with its archive and position. */
  forget (account: Jid): void {
    this.#moved.delete(account.toString())
  }
}
