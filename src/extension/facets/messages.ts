/** Message policy, and the routing, delivery and archiving of stanzas. */
import type { StanzaError } from '../../xmpp/errors.ts'
import type { MessagePolicy } from '../../xmpp/message-policy.ts'
import type { Message, Stanza } from '../../xmpp/stanza.ts'
import type { MessageArchive } from '../message-archive.ts'
import type { WriteWithArchive } from '../points.ts'
import type { AccountView, SessionInfo, SessionView } from '../views.ts'

export interface MessagesFacet {
  /** Sets the policy of messages whose only payload has this namespace; `inRoom` is that in rooms, if it differs. */
  declarePolicy (ns: string, policies: MessagePolicy, inRoom?: MessagePolicy): void
  policy (message: Message): MessagePolicy
  /** The policy of a message to all occupants, for the room and its members. */
  roomPolicy (message: Message): MessagePolicy
  /** Whether the message may be dropped without an error, such as a late chat state. */
  isWorthless (message: Message): boolean

  /** Runs `write` in each transaction that archives a message with a payload of this namespace. */
  writeWithArchive (ns: string, write: WriteWithArchive): void
  /** The write that goes with the message into each archive. */
  archiveWriterFor (message: Message): WriteWithArchive | undefined
  /** Makes the extension's archive the one that all extensions after it use. */
  provideArchive (archive: MessageArchive): void
  /** Undefined where no extension provides an archive. */
  readonly archive: MessageArchive | undefined

  /** Routes a stanza, through the stages of its recipient. */
  route (stanza: Stanza): void
  /** Answers a stanza with an error, unless it is one that must not be answered (RFC 6120 §8.3.1). */
  bounce (stanza: Stanza, error: StanzaError): void
  /** Delivers a stanza to one session. No stage of the account sees it, so it cannot loop. */
  deliver (to: SessionInfo, stanza: Stanza): void
  /** Emits `stanza.delivered`: the client has the stanza. */
  delivered (stanza: Stanza, session: SessionView): void
  /** Delivers an archived message that a session did not acknowledge to the account's other sessions. */
  redeliver (account: AccountView, message: Message): void
  /** Delivers a message that proved to be archived under that number, although its `committed` was rejected. */
  deliverRecovered (account: AccountView, number: string, message: Message): void
  /** Records that the session's previous owner has sent it a message, which may come again. */
  noteHeard (session: SessionView, message: Message): void
}
