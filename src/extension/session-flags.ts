/**
 * The session flags that extensions read of each other. Each is the namespace of its XEP, since flags are replicated.
 * Any other flag is private to the extension that sets it.
 */
export const SESSION_FLAGS = {
  /** The client acknowledges stanzas (XEP-0198): a written stanza does not count as delivered yet. */
  acks: 'urn:xmpp:sm:3',
  /** The client queries the archive (XEP-0313). */
  archive: 'urn:xmpp:mam:2',
  /** The client gets carbon copies (XEP-0280). */
  carbons: 'urn:xmpp:carbons:2',
} as const
