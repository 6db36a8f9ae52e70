/** RFC 6120 §7: binding a resource after the login, and the session element that RFC 3921 once wanted after it. */
import { randomId } from '../util/ids.ts'
import type { Element } from '../xml/element.ts'
import { el } from '../xml/element.ts'
import type { Account } from '../session/account.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { JidError } from '../xmpp/jid.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_BIND, NS_SESSION } from '../xmpp/ns.ts'

/** The most sessions of one account. */
const MAX_SESSIONS = 100

export type ResourceConflict = 'replace' | 'refuse'

/** Features for a client that has logged in and not bound. */
export function bindFeatures (): readonly Element[] {
  return [el('bind', NS_BIND), el('session', NS_SESSION, {}, el('optional', NS_SESSION))]
}

/** The full address that `<bind/>` asks for, or a generated one; throws the errors of RFC 6120 §7.7.2. */
export function chooseResource (bind: Element, account: Account, conflict: ResourceConflict): Jid {
  const wanted = bind.getChildText('resource', NS_BIND) ?? ''
  let full: Jid
  try {
    full = account.jid.withResource(wanted === '' ? randomId() : wanted)
  } catch (error) {
    if (error instanceof JidError) throw new StanzaError('bad-request', error.message) // §7.7.2.1
    throw error
  }
  checkRoom(account, full, conflict)
  return full
}

/** Throws where the account may have no further session at this address. */
export function checkRoom (account: Account, full: Jid, conflict: ResourceConflict): void {
  if (account.session(full.resource)) {
    if (conflict === 'refuse') throw new StanzaError('conflict', 'this resource is in use') // §7.7.2.2
  } else if (account.sessions.length >= MAX_SESSIONS) {
    throw new StanzaError('resource-constraint', 'the account has too many sessions') // §7.6.2.1
  }
}
