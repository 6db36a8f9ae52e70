/**
 * XEP-0280: Message Carbons. Copies a user's chats to those of the user's sessions that enabled it, so that every
 * device shows both sides of a conversation. The server announces that it follows the rules of §6.1.
 */
import { el, extension, forwarded, messageWith, NS_MUC_USER, SESSION_FLAGS } from '../../src/extension/api.ts'
import type { AccountView, ExtensionHost, Message, SessionInfo } from '../../src/extension/api.ts'
import { SentIds } from './sent-ids.ts'

const NS = 'urn:xmpp:carbons:2'
const FLAG = SESSION_FLAGS.carbons
const NS_RULES = 'urn:xmpp:carbons:rules:0'
const NS_HINTS = 'urn:xmpp:hints'
const NS_INVITATION = 'jabber:x:conference'

type Direction = 'sent' | 'received'

export const carbons = extension({
  name: 'carbons',
  xeps: ['0280@1.0.1'],
  setup (host) {
    const sentIds = new SentIds()

    host.disco.feature(NS)
    host.disco.feature(NS_RULES)
    for (const name of ['enable', 'disable']) {
      host.iq({ type: 'set', to: ['own-account'], name, ns: NS }, (_request, session) => {
        session.setFlag(FLAG, name === 'enable')
      })
    }
    host.stream.bindSwitch(NS, (element, session) => {
      session.setFlag(FLAG, element.getName() === 'enable')
      return undefined
    })
    host.on('send', 'fanout', (message, sender) => {
      const { account } = sender
      // §7: a message to the own account is copied to its other sessions as a received one.
      if (account.sessions.length < 2 || message.to?.bare.equals(account.jid) || !isCopied(host, message, 'sent'))
        return
      sentIds.add(account, message)
      copy(host, message, account, 'sent', [sender])
    })
    host.on('receive', 'fanout', (message, account, recipients) => {
      if (recipients.length === account.sessions.length) return
      const isAnswer = message.type === 'error' && sentIds.has(account, message)
      if (isAnswer || isCopied(host, message, 'received')) copy(host, message, account, 'received', recipients)
    })
  },
})

/** Copies the message to each session that enabled carbons, except its sender and those that have it. */
function copy (
  host: ExtensionHost,
  message: Message,
  { jid: owner }: AccountView,
  direction: Direction,
  have: readonly SessionInfo[],
): void {
  const targets = host.accounts.sessionsOf(owner).filter(session =>
    session.flags.has(FLAG) && !have.some(({ jid }) => jid.equals(session.jid)) && !message.from?.equals(session.jid))
  if (targets.length === 0) return
  const content = forwarded(el(direction, NS), message.toBytes())
  for (const target of targets) {
    const header = { from: owner, to: target.jid, archiveNumber: message.archiveNumber }
    host.messages.deliver(target, messageWith(message.type, header, content))
  }
}

/** §6.1, without errors. §8: the `private` element stays in the message for its recipient. */
function isCopied (host: ExtensionHost, message: Message, direction: Direction): boolean {
  if (message.has('private', NS) || message.has('no-copy', NS_HINTS)) return false
  const isOfRoom = message.has('x', NS_MUC_USER)
  // The room sends an occupant's message to each session that is in the room.
  if (isOfRoom && direction === 'received' && message.from?.isBare === false) return false
  switch (message.type) {
    case 'chat': return true
    case 'normal':
      return host.messages.policy(message).carbon || message.has('x', NS_INVITATION) ||
        (isOfRoom && isInvitation(message))
    default: return false
  }
}

/** Whether it is a mediated invitation, from a room or to it (XEP-0045 §7.8.2). */
function isInvitation (message: Message): boolean {
  return message.payload('x', NS_MUC_USER)?.getChild('invite', NS_MUC_USER) !== undefined
}
