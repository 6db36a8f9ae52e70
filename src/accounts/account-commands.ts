/**
 * The administration commands for accounts in the database, shared by a running server and the offline command line. A
 * running server also notifies sessions and contacts.
 */
import type { AccountCommands } from '../extension/facets/accounts.ts'
import { FairQueue } from '../util/fair-queue.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { PasswordError, checkPassword, deriveCredentials } from './credentials.ts'
import type { Credentials } from './credentials.ts'
import { existing } from './store.ts'
import type { AccountStore } from './store.ts'

/**
 * The commands over a store; accounts are created only for `hosts`. Keys are derived one at a time and only where they
 * are needed: it takes a thread that logins need, too.
 */
export function accountCommands (store: AccountStore, hosts: readonly string[]): AccountCommands {
  const deriving = new FairQueue({ atOnce: 1, waitingEach: Infinity })
  const derive = (jid: Jid, password: string): Promise<Credentials> =>
    deriving.run(jid.bare.toString(), () => deriveCredentials(password))
  return {
    async add (jid, password) {
      requireAddress(jid, hosts)
      requirePassword(password) // first, so that the error does not depend on whether the account exists
      if (await store.exists(jid)) throw existing()
      await store.create(jid, await derive(jid, password))
    },
    async remove (jid) {
      if (!await store.remove(jid)) throw missing()
    },
    async setPassword (jid, password) {
      requirePassword(password)
      if (!await store.exists(jid)) throw missing()
      if (!await store.setCredentials(jid, await derive(jid, password))) throw missing()
    },
    list: () => store.list(),
  }
}

function requireAddress (jid: Jid, hosts: readonly string[]): void {
  if (jid.local === '' || !jid.isBare) {
    throw new StanzaError('jid-malformed', 'an account\'s address must have the form NAME@HOST')
  }
  if (hosts.includes(jid.domain)) return
  throw new StanzaError('item-not-found', `the host is not served here, the hosts are ${hosts.join(', ')}`)
}

function requirePassword (password: string): void {
  try {
    checkPassword(password)
  } catch (error) { // a PasswordError
    if (error instanceof PasswordError) throw new StanzaError('not-acceptable', error.message)
    throw error
  }
}

function missing (): StanzaError {
  return new StanzaError('item-not-found', 'there is no such account')
}
