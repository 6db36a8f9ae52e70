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
    'stanza.delivered': [], 'message.left': [], 'account.removed': [],
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
  isTaken (message: Message, account: Account): boolean {
    return this.#handlers['message.left'].some(handler =>
      this.#guard('message.left', () => handler(message, account)) === 'taken')
  }

  /** Whether somebody keeps the session for a resumption. */
  isKept (session: Session): boolean {
    return this.#handlers['session.ending'].some(handler =>
      this.#guard('session.ending', () => handler(session)) === 'keep')
  }

  ended (session: Session): void {
    for (const handler of this.#handlers['session.ended']) this.#guard('session.ended', () => handler(session))
  }

  /** All have dealt with it when it resolves. */
  async accountRemoved (account: Jid): Promise<void> {
    await Promise.all(this.#handlers['account.removed'].map(async handler => {
      try {
        await handler(account)
      } catch (error) { // a handler's mistake does not bring the account back
        this.#log.error({ err: error, event: 'account.removed' }, 'an event handler failed')
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
    this.#log.error({ err: error, event }, 'an event handler failed')
  }
}
