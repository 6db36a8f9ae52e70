/** What messages are worth, and how stanzas are sent and delivered. */
import type { StanzaError } from '../../xmpp/errors.ts'
import type { MessagePolicy } from '../../xmpp/message-policy.ts'
import type { Message, Stanza } from '../../xmpp/stanza.ts'
import type { ReadArchived, WriteWithArchive } from '../points.ts'
import type { AccountView, SessionInfo, SessionView } from '../views.ts'

export interface MessagesFacet {
  /** What a message is worth when this payload is all it holds; `inRoom` is what a room's is, where that differs. */
  declarePolicy (ns: string, policies: MessagePolicy, inRoom?: MessagePolicy): void
  policy (message: Message): MessagePolicy
  /** What a message that is for all in a room is worth to the room, and to its members. */
  roomPolicy (message: Message): MessagePolicy
  /** Whether nobody loses anything when nobody gets it: a chat state that comes too late. */
  isWorthless (message: Message): boolean

  /** What is to be written with a message that has this payload, in each archive that keeps it. */
  writeWithArchive (ns: string, write: WriteWithArchive): void
  /** What is to be written with the message where it is kept. */
  archiveWriterFor (message: Message): WriteWithArchive | undefined
  /** Makes the extension's archive the one that others read. */
  provideArchive (read: ReadArchived): void
  /** Finds nothing where no extension provides an archive. */
  readArchived: ReadArchived

  /** Sends a stanza on its way, through the stages of whoever receives it. */
  route (stanza: Stanza): void
  /** Tells the sender why a stanza did not get where it should, unless it is one that must not be answered. */
  bounce (stanza: Stanza, error: StanzaError): void
  /** Hands a stanza to one session, on whichever node. No account stage sees it, so it cannot loop. */
  deliver (to: SessionInfo, stanza: Stanza): void
  /** The client has the stanza: tells whoever wants to know. */
  delivered (stanza: Stanza, session: SessionView): void
  /** Hands a message that is kept, and that a session left unread, to the account's others. */
  redeliver (account: AccountView, message: Message): void
  /** Hands over a message that turned out to be kept under that id, although its `committed` was rejected. */
  deliverRecovered (account: AccountView, id: string, message: Message): void
}
