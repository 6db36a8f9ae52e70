/** What may be done with accounts while a server runs: the database's part, and what sessions and contacts hear. */
import type { AccountCommands } from '../extension/api.ts'
import type { Presences } from '../presence/presence.ts'
import type { EventTable } from '../session/events.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Accounts } from './accounts.ts'

/** The commands over those of the database. */
export function liveAccounts (
  stored: AccountCommands, accounts: Accounts, presences: Presences, events: EventTable,
): AccountCommands {
  return {
    ...stored,
    async remove (jid: Jid) {
      const account = await accounts.load(jid)
      await stored.remove(jid)
      await events.accountRemoved(jid.bare)
      if (account) await presences.accountRemoved(account)
      setImmediate(() => { accounts.forget(jid) }) // after the answer to who asked (XEP-0077 §3.2)
    },
  }
}
