/** Tells extensions that an account is about to be answered from the database. */
import type { Account } from '../session/account.ts'
import type { EventTable } from '../session/events.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Accounts } from './accounts.ts'

/** Accounts in memory that have read before, once all have dealt with that. */
const told = new WeakMap<Account, Promise<void>>()

/** Resolves when all have dealt with `account.firstRead`, where it is the first time, and `account.reads`. */
export async function tellReads (
  { accounts, events }: { readonly accounts: Pick<Accounts, 'peek'>, readonly events: EventTable }, asker: Jid,
): Promise<void> {
  const account = accounts.peek(asker)
  if (account && !account.isAnonymous) {
    const first = told.get(account) ?? events.emitAll('account.firstRead', account.jid)
    told.set(account, first)
    await first
  }
  await events.emitAll('account.reads', asker)
}
