/**
 * The flags by which extensions ask what another extension does for a session: each the namespace of its XEP, since they
 * stand in replicated state. Any other flag is the business of the extension that sets it.
 */
export const SESSION_FLAGS = {
  /** The client acknowledges stanzas (XEP-0198): what was written is not delivered yet. */
  acks: 'urn:xmpp:sm:3',
  /** The client reads the archive (XEP-0313) by itself. */
  archive: 'urn:xmpp:mam:2',
  /** The client gets copies of the account's chats (XEP-0280). */
  carbons: 'urn:xmpp:carbons:2',
} as const
