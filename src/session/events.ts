/** What has happened, for the extensions that want to know: one list of handlers per event. */
import type { Events } from '../extension/api.ts'
import type { Logger } from '../log.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Message, Stanza } from '../xmpp/stanza.ts'
import type { Account } from './account.ts'
import type { Session } from './session.ts'

type Handlers = { readonly [E in keyof Events]: Events[E][] }

export class EventTable {
  readonly #handlers: Handlers = {
    'session.bound': [], 'session.reachable': [], 'session.ending': [], 'session.ended': [],
    'stanza.delivered': [], 'message.unacked': [], 'account.reads': [], 'account.removed': [], 'account.beforeMove': [], 'account.movedAway': [],
    'room.opened': [], 'room.affiliated': [], 'room.forgotten': [], 'room.ended': [], 'room.beforeMove': [], 'room.movedAway': [],
  }
  readonly #log: Logger

  constructor (log: Logger) {
    this.#log = log
  }

  /** What is returned takes the handler away again. */
  add<E extends keyof Events> (event: E, handler: Events[E]): () => void {
    const handlers: Events[E][] = this.#handlers[event]
    handlers.push(handler)
    return () => { handlers.splice(handlers.indexOf(handler), 1) }
  }

  bound (session: Session): void {
    for (const handler of this.#handlers['session.bound']) this.#guard('session.bound', () => handler(session))
  }

  reachable (session: Session): void {
    for (const handler of this.#handlers['session.reachable']) this.#guard('session.reachable', () => handler(session))
  }

  // Once per message and device: without a closure.
  delivered (stanza: Stanza, session: Session): void {
    for (const handler of this.#handlers['stanza.delivered']) {
      try { handler(stanza, session) } catch (error) { this.#failed(error, 'stanza.delivered') }
    }
  }

  /** Whether somebody sees to it that the message gets to another device. */
  isRedelivered (message: Message, account: Account): boolean {
    return this.#handlers['message.unacked'].some(handler =>
      this.#guard('message.unacked', () => handler(message, account)) === 'taken')
  }

  /** Whether somebody keeps the session for a resumption. */
  isKept (session: Session): boolean {
    return this.#handlers['session.ending'].some(handler =>
      this.#guard('session.ending', () => handler(session)) === 'keep')
  }

  ended (session: Session): void {
    for (const handler of this.#handlers['session.ended']) this.#guard('session.ended', () => handler(session))
  }

  accountMovedAway (account: Account, sessions: readonly Session[]): void {
    for (const handler of this.#handlers['account.movedAway']) this.#guard('account.movedAway', () => handler(account, sessions))
  }

  /** All have dealt with it when it resolves. */
  async reads (asker: Jid): Promise<void> {
    await this.#all('account.reads', handler => handler(asker))
  }

  /** All have dealt with it when it resolves. */
  async accountRemoved (account: Jid): Promise<void> {
    await this.#all('account.removed', handler => handler(account))
  }

  /** All have dealt with it when it resolves. */
  async roomOpened (room: Parameters<Events['room.opened']>[0]): Promise<void> {
    await this.#all('room.opened', handler => handler(room))
  }

  affiliated (room: Parameters<Events['room.affiliated']>[0], accounts: readonly Jid[]): void {
    for (const handler of this.#handlers['room.affiliated']) this.#guard('room.affiliated', () => handler(room, accounts))
  }

  /** All have dealt with it when it resolves; rejects where one of them could not. */
  async roomForgotten (room: Parameters<Events['room.forgotten']>[0], account: Jid): Promise<void> {
    for (const handler of this.#handlers['room.forgotten']) await handler(room, account)
  }

  /** All have dealt with it when it resolves. */
  async roomEnded (room: Jid): Promise<void> {
    await this.#all('room.ended', handler => handler(room))
  }

  /** All have kept what they keep of it when it resolves. */
  async beforeRoomMove (room: Parameters<Events['room.beforeMove']>[0]): Promise<void> {
    await this.#all('room.beforeMove', handler => handler(room))
  }

  roomMovedAway (room: Parameters<Events['room.movedAway']>[0]): void {
    for (const handler of this.#handlers['room.movedAway']) this.#guard('room.movedAway', () => handler(room))
  }

  /** All have kept what they keep of it when it resolves. */
  async beforeAccountMove (account: Account): Promise<void> {
    await this.#all('account.beforeMove', handler => handler(account))
  }

  async #all<E extends 'account.reads' | 'account.removed' | 'account.beforeMove' | 'room.opened' | 'room.ended' | 'room.beforeMove'> (
    event: E, run: (handler: Events[E]) => Promise<void>,
  ): Promise<void> {
    await Promise.all(this.#handlers[event].map(async handler => {
      try {
        await run(handler)
      } catch (error) { // a handler's mistake does not keep the account
        this.#failed(error, event)
      }
    }))
  }

  #guard<T> (event: string, run: () => T): T | undefined {
    try {
      return run()
    } catch (error) { // a handler's mistake is not the session's
      this.#failed(error, event)
    }
  }

  #failed (error: unknown, event: string): void {
    this.#log.error({ event: 'extension.event_handler_failed', err: error, handler: event }, 'extension: event handler failed')
  }
}
