/**
 * XEP-0280: Message Carbons. Copies a user's chats to those of the user's sessions that asked for them, so that every
 * device shows both halves of a conversation. Its §6.1 is followed to the letter, which the server announces.
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
    host.iq({ type: 'set', to: ['own-account'], name: 'enable', ns: NS }, (_request, session) => { session.setFlag(FLAG, true) })
    host.iq({ type: 'set', to: ['own-account'], name: 'disable', ns: NS }, (_request, session) => { session.setFlag(FLAG, false) })
    host.stream.bindSwitch(NS, (element, session) => {
      session.setFlag(FLAG, element.getName() === 'enable')
      return undefined
    })
    host.on('send', 'fanout', (message, sender) => {
      const { account } = sender
      // §7: what is for the account itself comes to its other devices as received.
      if (account.sessions.length < 2 || message.to?.bare.equals(account.jid) || !isCopied(host, message, 'sent')) return
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

/** A copy for each session that wants one, other than those that have the message, or sent it. */
function copy (
  host: ExtensionHost, message: Message, { jid: owner }: AccountView, direction: Direction, have: readonly SessionInfo[],
): void {
  const targets = host.accounts.sessionsOf(owner).filter(session =>
    session.flags.has(FLAG) && !have.some(({ jid }) => jid.equals(session.jid)) && !message.from?.equals(session.jid))
  if (targets.length === 0) return
  const content = forwarded(el(direction, NS), message.toBytes())
  for (const target of targets) {
    const header = { from: owner, to: target.jid, archiveId: message.archiveId }
    host.messages.deliver(target, messageWith(message.type, header, content))
  }
}

/** §6.1, errors aside. §8: the mark of a private message stays on it, for its recipient to see. */
function isCopied (host: ExtensionHost, message: Message, direction: Direction): boolean {
  if (message.has('private', NS) || message.has('no-copy', NS_HINTS)) return false
  const isOfRoom = message.has('x', NS_MUC_USER)
  // What comes from somebody in a room, the room sends to each of the devices that are in it.
  if (isOfRoom && direction === 'received' && message.from?.isBare === false) return false
  switch (message.type) {
    case 'chat': return true
    case 'normal': return host.messages.policy(message).carbon || message.has('x', NS_INVITATION) || (isOfRoom && isInvitation(message))
    default: return false
  }
}

/** XEP-0045 §7.8.2: the room invites, or is asked to. */
function isInvitation (message: Message): boolean {
  return message.payload('x', NS_MUC_USER)?.getChild('invite', NS_MUC_USER) !== undefined
}
