/** What an account's sessions are sent that comes from the account itself. */
import type { Account, Stanza } from '../../src/extension/api.ts'

const NS_CARBONS = 'urn:xmpp:carbons:2'

/** What one of its sessions sent, a copy of what another one was sent, a result of a query. */
export function isOwn ({ from }: Stanza, { jid }: Account): boolean {
  return from?.bare.equals(jid) ?? false
}

/** XEP-0280: a copy delivers nothing. */
export function isCopy (stanza: Stanza, account: Account): boolean {
  return stanza.children[0]?.ns === NS_CARBONS && isOwn(stanza, account)
}
