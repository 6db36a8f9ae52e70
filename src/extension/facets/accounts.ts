/** The accounts of this server, their sessions and their rosters. */
import type { Database } from '../../storage/database.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { AccountView, SessionInfo, SessionView } from '../views.ts'

/** A value of an extension's own that is loaded with the account and then read from memory. */
export interface AccountData<T> {
  of (account: AccountView): T
  set (account: AccountView, value: T): void
}

export interface AccountsFacet {
  readonly commands: AccountCommands
  /** The account in memory, loaded when it was not; nothing when there is no such account. */
  load (jid: Jid): Promise<AccountView | undefined>
  data<T> (load: (db: Database, account: Jid) => Promise<T>): AccountData<T>
  /** The sessions of a local account, from memory. */
  sessionsOf (account: Jid): readonly SessionInfo[]
  /** Ends a session that was kept. */
  endSession (session: SessionView): void
  /** The session is not where it sent presence directly any more (RFC 6121 §4.6). */
  forgetDirected (session: SessionView, to: Jid): void
  /** Who may see the account's presence: its roster's subscribers. */
  subscribersOf (account: AccountView): readonly Jid[]
  /** Whether the address is in the account's roster. */
  isContact (account: AccountView, jid: Jid): boolean
  /** Whether an account takes what comes from an address, by the guards of `receive`, as far as it is in memory here. */
  willingToHear (from: Jid): (account: Jid) => boolean
}

/** What may be done with accounts, by an administrator or by who owns one. Passwords are never kept. */
export interface AccountCommands {
  /** Throws StanzaError conflict when there is one already, not-acceptable when the password may not be used. */
  add (jid: Jid, password: string): Promise<void>
  /** Ends its streams, tells its contacts, leaves no row behind; item-not-found when there is none. */
  remove (jid: Jid): Promise<void>
  setPassword (jid: Jid, password: string): Promise<void>
  list (): Promise<readonly Jid[]>
}
