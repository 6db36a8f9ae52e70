/** Accounts, as one extension reaches them. */
import type { AccountsFacet } from '../../extension/facets/accounts.ts'
import { dataOf } from '../../session/account.ts'
import type { Account } from '../../session/account.ts'
import type { Session } from '../../session/session.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { presence } from '../../xmpp/stanza.ts'
import type { Registration } from './registration.ts'

export function accountsFacet ({ name, parts, undo }: Registration): AccountsFacet {
  const { accounts, presences, rosters, stages, db, commands } = parts
  return {
    commands,
    load: jid => accounts.load(jid),
    data (load) {
      const slot = { key: Symbol(name), load: (account: Jid) => load(db, account) }
      undo.push(accounts.addData(slot))
      return dataOf(slot)
    },
    sessionsOf: account => accounts.peek(account)?.sessions ?? [],
    endSession (session: Session) { accounts.end(session) },
    forgetDirected ({ directed }: Session, to) { directed?.delete(to.toString()) },
    changePresence (account: Account, change) { presences.change(account, change) },
    subscribersOf: (account: Account) => rosters.subscribers(account),
    isContact: (account: Account, jid) => rosters.item(account, jid)?.isListed === true,
    willingToHear (from) {
      const shown = presence('available', { from })
      return jid => {
        const account = accounts.peek(jid)
        return account === undefined || stages.receive.guard(shown, account) === undefined
      }
    },
  }
}
