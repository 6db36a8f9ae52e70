/** What rosters say of those who ask for nodes: from memory where the account is, or else from the database. */
import type { Rosters } from '../roster/roster.ts'
import { readContacts } from '../roster/store.ts'
import type { Account } from '../session/account.ts'
import type { Database } from '../storage/database.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Contact, Contacts } from './access.ts'

export function rosterContacts (
  db: Database, rosters: Rosters, find: (jid: Jid) => Account | undefined,
): Contacts {
  return {
    async find (owners, contact) {
      const [owner] = owners
      const account = owners.length === 1 && owner !== undefined ? find(Jid.kept(owner)) : undefined
      if (!account) return (await readContacts(db, owners, contact)).map(contactOf)
      const item = rosters.item(account, contact)
      return item ? [contactOf(item)] : []
    },
  }
}

function contactOf (
  { state: { subscription }, groups }: Pick<NonNullable<ReturnType<Rosters['item']>>, 'state' | 'groups'>,
): Contact {
  return { isSubscriber: subscription === 'from' || subscription === 'both', groups }
}
