/** Stanzas that an account's sessions get from the account itself. */
import type { Account, Stanza } from '../../src/extension/api.ts'

const NS_CARBONS = 'urn:xmpp:carbons:2'

/** Sent by one of its sessions, a carbon, or a result of a query. */
export function isOwn ({ from }: Stanza, { jid }: Account): boolean {
  return from?.bare.equals(jid) ?? false
}

/** XEP-0280: a copy delivers nothing. */
export function isCopy (stanza: Stanza, account: Account): boolean {
  return stanza.children[0]?.ns === NS_CARBONS && isOwn(stanza, account)
}
