/** Accounts of this server, their sessions and their rosters. */
import type { Database } from '../../storage/database.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Presence } from '../../xmpp/stanza.ts'
import type { AccountInfo, AccountView, SessionInfo, SessionView } from '../views.ts'

/** A value of an extension for each account, loaded together with the account and then read from memory. */
export interface AccountData<T> {
  of (account: AccountInfo): T
  set (account: AccountView, value: T): void
}

export interface AccountsFacet {
  readonly commands: AccountCommands
  /** The account, loaded if it is not in memory; undefined when there is no such account. */
  load (jid: Jid): Promise<AccountView | undefined>
  data<T>(load: (db: Database, account: Jid) => Promise<T>): AccountData<T>
  /** The sessions of an account that is in memory here; empty for any other. */
  sessionsOf (account: Jid): readonly SessionInfo[]
  /** Ends a session without a stream, which was kept for a resumption. */
  endSession (session: SessionView): void
  /** Removes an address from those the session sent directed presence to (RFC 6121 §4.6). */
  forgetDirected (session: SessionView, to: Jid): void
  /**
   * Changes the last presence of the account's available sessions, and sends it to all who may see it (RFC 6121
   * §4.4.2).
   */
  changePresence (account: AccountView, change: (presence: Presence, session: SessionView) => Presence): void
  /** The contacts that may see the account's presence. */
  subscribersOf (account: AccountView): readonly Jid[]
  /** Whether the address is in the account's roster. */
  isContact (account: AccountView, jid: Jid): boolean
  /** Whether the guards of `receive` let presence from that address pass; true for accounts that are not in memory. */
  willingToHear (from: Jid): (account: Jid) => boolean
}

/** Management of accounts by an administrator or an account's owner. Passwords are never stored. */
export interface AccountCommands {
  /** Throws StanzaError conflict when the account exists, not-acceptable when the password is not allowed. */
  add (jid: Jid, password: string): Promise<void>
  /** Closes its streams, notifies its contacts, deletes its rows; item-not-found when there is no such account. */
  remove (jid: Jid): Promise<void>
  setPassword (jid: Jid, password: string): Promise<void>
  list (): Promise<readonly Jid[]>
}
