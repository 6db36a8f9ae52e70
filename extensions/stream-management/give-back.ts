/**
 * XEP-0198 §4: reroutes what an ended session left unacknowledged, as if it had come for a resource that does not exist
 * (RFC 6121 §8.5.3.2): to the account's other sessions, to the archive, or back. Ephemeral messages, such as chat
 * states, are dropped.
 */
import { inSlices, SESSION_FLAGS, StanzaError } from '../../src/extension/api.ts'
import type { AccountView, ExtensionHost, Message, SessionView } from '../../src/extension/api.ts'
import { delayed } from './ack-queue.ts'
import type { Sent } from './ack-queue.ts'

const NS_HINTS = 'urn:xmpp:hints'

/** Reroutes stanzas that a session of the account never acknowledged: a promise where that takes more than a slice. */
export function rerouteUnacked (
  host: ExtensionHost,
  account: AccountView,
  sent: readonly Sent[],
): void | Promise<void> {
  return inSlices(rerouteEach(host, account, sent))
}

function * rerouteEach (host: ExtensionHost, account: AccountView, sent: readonly Sent[]): Generator<void> {
  for (const one of sent) {
    const { stanza } = one
    if (stanza.kind === 'message') rerouteMessage(host, account, stanza, one)
    else if (stanza.kind === 'iq') host.messages.bounce(stanza, unavailable())
    yield
  }
}

function rerouteMessage (host: ExtensionHost, account: AccountView, message: Message, sent: Sent): void {
  // Messages of the account itself are with its sessions and in its archive; other types are for nobody else.
  if (message.from?.bare.equals(account.jid) || (message.type !== 'chat' && message.type !== 'normal')) return
  if (message.archiveNumber === undefined && host.messages.isWorthless(message)) return
  const others = mayBePassedOn(message) ? account.sessions.filter(session => session.isReachable) : []
  const without = others.filter(session => !alreadyHasCopy(session, message, sent))
  const late = delayed(message, sent.at)
  if (message.archiveNumber === undefined) {
    if (others.length === 0) return host.messages.bounce(message, unavailable())
    for (const session of without) host.messages.deliver(session, late)
  } else if (without.length > 0) host.messages.redeliver(account, late)
}

// RFC 6121 §8.5.3.2.1, and XEP-0334 §4.3.
function mayBePassedOn (message: Message): boolean {
  return !message.to?.resource || (message.type === 'chat' && !message.has('no-copy', NS_HINTS))
}

/** Whether the session got the message at the same time as the ended one: directly, or as a carbon. */
function alreadyHasCopy (session: SessionView, { to }: Message, { siblingSessions: beside }: Sent): boolean {
  return beside.includes(session) && (!to?.resource || session.flags.has(SESSION_FLAGS.carbons))
}

function unavailable (): StanzaError {
  return new StanzaError('recipient-unavailable')
}
