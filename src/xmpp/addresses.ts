/**
 * Addresses in a stanza, and limits for lists of them. To prepare an international address (RFC 7622, RFC 5891) takes a
 * hundred times as long as to parse it.
 */
import { StanzaError } from './errors.ts'
import { Jid, JidError } from './jid.ts'

/** The most addresses in a list. */
const MAX_LISTED = 1000
/** The fixed cost of an address that is not plain ASCII, besides its length. */
const PREPARATION = 50
/** The limit of the total cost: about fifty international addresses of the usual length. */
const MAX_PREPARED = 5000

/** The address that the text says; throws jid-malformed with the reason (RFC 6120 §8.3.3.8). */
export function parseAddress (text: string): Jid {
  try {
    return Jid.parse(text)
  } catch (error) {
    if (error instanceof JidError) throw new StanzaError('jid-malformed', error.message)
    throw error
  }
}

/** Called before the first address of a list is parsed; throws policy-violation where the list is too expensive. */
export function checkAddressList (texts: readonly string[]): void {
  if (texts.length > MAX_LISTED) {
    throw new StanzaError('policy-violation', `too many addresses: at most ${MAX_LISTED} are allowed in one request`)
  }
  let cost = 0
  for (const text of texts) if (Jid.isDear(text)) cost += PREPARATION + text.length
  if (cost > MAX_PREPARED) throw new StanzaError('policy-violation', 'too many international addresses in one request')
}
