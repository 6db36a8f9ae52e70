/**
 * What an administrator may do with the accounts of a database: the part that a running server and a command beside a
 * stopped one have in common. A running server adds what its sessions and contacts must hear.
 */
import type { AccountCommands } from '../extension/api.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { PasswordError, deriveCredentials } from './credentials.ts'
import type { Credentials } from './credentials.ts'
import type { AccountStore } from './store.ts'

/** The commands over a store; only accounts of `hosts` can be made. */
export function accountCommands (store: AccountStore, hosts: readonly string[]): AccountCommands {
  return {
    async add (jid, password) {
      requireAddress(jid, hosts)
      await store.create(jid, await credentialsOf(password))
    },
    async remove (jid) {
      if (!await store.remove(jid)) throw missing()
    },
    async setPassword (jid, password) {
      if (!await store.setCredentials(jid, await credentialsOf(password))) throw missing()
    },
    list: () => store.list(),
  }
}

function requireAddress (jid: Jid, hosts: readonly string[]): void {
  if (jid.local === '' || !jid.isBare) throw new StanzaError('jid-malformed', 'an account is called NAME@HOST')
  if (hosts.includes(jid.domain)) return
  throw new StanzaError('item-not-found', `the host is not served here, the hosts are ${hosts.join(', ')}`)
}

async function credentialsOf (password: string): Promise<Credentials> {
  try {
    return await deriveCredentials(password)
  } catch (error) { // a PasswordError
    if (error instanceof PasswordError) throw new StanzaError('not-acceptable', error.message)
    throw error
  }
}

function missing (): StanzaError {
  return new StanzaError('item-not-found', 'there is no such account')
}
