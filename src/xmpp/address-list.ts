/**
 * What a list of addresses in one stanza may cost: to prepare an international one (RFC 7622, RFC 5891) takes a hundred
 * times as long as it takes to read it.
 */
import { StanzaError } from './errors.ts'
import { Jid } from './jid.ts'

/** So many addresses, */
const MAX_LISTED = 1000
/** and of those that are not plain ASCII, each with its characters and this much more, */
const PREPARATION = 50
/** so much together: about fifty of the usual length. */
const MAX_PREPARED = 5000

/** To be asked before the first of a list is parsed; throws where the list is too long to be dealt with at once. */
export function checkAddressList (texts: readonly string[]): void {
  if (texts.length > MAX_LISTED) {
    throw new StanzaError('policy-violation', `too many addresses: at most ${MAX_LISTED} are allowed in one request`)
  }
  let cost = 0
  for (const text of texts) if (Jid.isDear(text)) cost += PREPARATION + text.length
  if (cost > MAX_PREPARED) throw new StanzaError('policy-violation', 'too many international addresses in one request')
}
