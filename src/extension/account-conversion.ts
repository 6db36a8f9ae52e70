/**
 * Keeps what an account has in several places the same: after each change, one conversion at a time, before the account
 * reads any of them, and before it moves to another node.
 */
import { inBackground } from '../util/background.ts'
import { Turns } from '../util/turns.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { ExtensionHost } from './host.ts'

/** What is converted. */
export interface Conversion {
  /** As the log has it. */
  readonly name: string
  /** Whether the account has something from before this extension was there. */
  readonly isDue: (account: Jid) => Promise<boolean>
  /** Converts what has changed. Rejects with a StanzaError where one of the places refuses it. */
  readonly convert: (account: Jid) => Promise<void>
}

export class AccountConversion {
  readonly #host: Pick<ExtensionHost, 'log'>
  readonly #conversion: Conversion
  readonly #turns = new Turns()
  readonly #due = new Set<string>()

  constructor (host: Pick<ExtensionHost, 'log' | 'when'>, conversion: Conversion) {
    this.#host = host
    this.#conversion = conversion
    host.when('account.firstRead', account => this.#begin(account))
    host.when('account.reads', account => this.settled(account))
    host.when('account.beforeMove', ({ jid }) => this.settled(jid))
  }

  /** Converts after the conversion that goes on; once for all changes that come before it begins. */
  later (account: Jid): void {
    const key = account.toString()
    if (this.#due.has(key)) return
    this.#due.add(key)
    const { log } = this.#host
    inBackground(log, this.#conversion.name, this.#turns.inTurn(key, () => {
      this.#due.delete(key)
      return this.#convert(account)
    }))
  }

  /** Resolves when what has changed until now is converted. */
  async settled (account: Jid): Promise<void> {
    const key = account.bare.toString()
    if (this.#turns.isBusy(key)) await this.#turns.inTurn(key, () => {})
  }

  async #begin (account: Jid): Promise<void> {
    if (!await this.#conversion.isDue(account)) return
    this.later(account)
    await this.settled(account)
  }

  async #convert (account: Jid): Promise<void> {
    try {
      await this.#conversion.convert(account)
    } catch (err) {
      if (!(err instanceof StanzaError)) throw err // the database's
      const { name } = this.#conversion
      this.#host.log.debug({ event: 'conversion.refused', err, account: account.toString() }, `${name}: refused`)
    }
  }
}
