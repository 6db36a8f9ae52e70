/**
 * The administration commands of a running server: those of the database, and notifications of sessions and contacts.
 */
import type { AccountCommands } from '../extension/facets/accounts.ts'
import type { Logger } from '../log.ts'
import type { Presences } from '../presence/presence.ts'
import type { EventTable } from '../session/events.ts'
import type { Homes } from '../session/homes.ts'
import { inBackground } from '../util/background.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Accounts } from './accounts.ts'

export interface LiveParts {
  readonly accounts: Accounts
  readonly presences: Presences
  readonly events: EventTable
  readonly log: Logger
  /** Where this is one node of many. */
  readonly homes?: Homes | undefined
}

/** Wraps the commands of the database. An account is removed at its owner node. */
export function liveAccounts (
  stored: AccountCommands,
  { accounts, presences, events, log, homes }: LiveParts,
): AccountCommands {
  return {
    ...stored,
    async remove (jid: Jid) {
      const located = await accounts.locate(jid)
      if (located && 'node' in located) {
        if (await homes?.removeAt(located.node, jid.bare.toString())) return
        homes?.forget(jid.bare.toString())
        return this.remove(jid)
      }
      await stored.remove(jid)
      if (located) await presences.accountRemoved(located.account) // before they forget it
      await events.emitAll('account.removed', jid.bare)
      setImmediate(() => { // after the answer to who asked (XEP-0077 §3.2)
        inBackground(log, 'ending the sessions of a removed account', accounts.forget(jid))
      })
    },
  }
}
