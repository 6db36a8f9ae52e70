/** Stanzas that an account's sessions get from the account itself. */
import type { AccountView, Stanza } from '../../src/extension/api.ts'

const NS_CARBONS = 'urn:xmpp:carbons:2'

/** Sent by one of its sessions, a carbon, or a result of a query. */
export function isOwn ({ from }: Stanza, { jid }: AccountView): boolean {
  return from?.bare.equals(jid) ?? false
}

/** XEP-0280: a copy delivers nothing. */
export function isCopy (stanza: Stanza, account: AccountView): boolean {
  return stanza.children[0]?.ns === NS_CARBONS && isOwn(stanza, account)
}
