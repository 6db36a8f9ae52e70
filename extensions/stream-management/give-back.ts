/**
 * XEP-0198 §4: what a session that is over left unacknowledged is treated as if it had come for a resource that is not
 * there (RFC 6121 §8.5.3.2): it goes to the account's other sessions, waits in the archive, or goes back. What is worth
 * nothing so late, as a chat state, ends here.
 */
import { SESSION_FLAGS, StanzaError } from '../../src/extension/api.ts'
import type { Account, ExtensionHost, Message, Session } from '../../src/extension/api.ts'
import { delayed } from './ack-queue.ts'
import type { Sent } from './ack-queue.ts'

const NS_HINTS = 'urn:xmpp:hints'

/** Finds another place for what was sent to a session of the account and never acknowledged. */
export function rerouteUnacked (host: ExtensionHost, account: Account, sent: readonly Sent[]): void {
  for (const one of sent) {
    const { stanza } = one
    if (stanza.kind === 'message') rerouteMessage(host, account, stanza, one)
    else if (stanza.kind === 'iq') host.messages.bounce(stanza, unavailable())
  }
}

function rerouteMessage (host: ExtensionHost, account: Account, message: Message, sent: Sent): void {
  // What the account sent itself its sessions have, and its archive; the other types are nobody else's.
  if (message.from?.bare.equals(account.jid) || (message.type !== 'chat' && message.type !== 'normal')) return
  if (message.archiveId === undefined && host.messages.isWorthless(message)) return
  const others = mayBePassedOn(message) ? account.sessions.filter(session => session.isReachable) : []
  const without = others.filter(session => !alreadyHasCopy(session, message, sent))
  const late = delayed(message, sent.at)
  if (message.archiveId === undefined) {
    if (others.length === 0) return host.messages.bounce(message, unavailable())
    for (const session of without) host.messages.deliver(session, late)
  } else if (without.length > 0) host.messages.redeliver(account, late)
}

// RFC 6121 §8.5.3.2.1, and XEP-0334 §4.3.
function mayBePassedOn (message: Message): boolean {
  return !message.to?.resource || (message.type === 'chat' && !message.has('no-copy', NS_HINTS))
}

/** Whether it was given the message when the session that is over was: as one to the account, or as a carbon. */
function alreadyHasCopy (session: Session, { to }: Message, { siblingSessions: beside }: Sent): boolean {
  return beside.includes(session) && (!to?.resource || session.flags.has(SESSION_FLAGS.carbons))
}

function unavailable (): StanzaError {
  return new StanzaError('recipient-unavailable')
}
