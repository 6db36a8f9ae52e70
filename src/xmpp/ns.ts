/** The namespaces that the core shares, under the title of their RFC or XEP. Extensions define their own. */

/** RFC 6120: Extensible Messaging and Presence Protocol (XMPP): Core. */
export const NS_STREAM = 'http://etherx.jabber.org/streams'
export const NS_CLIENT = 'jabber:client'
export const NS_SERVER = 'jabber:server'
export const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
export const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
export const NS_BIND = 'urn:ietf:params:xml:ns:xmpp-bind'
export const NS_STANZA_ERRORS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
export const NS_STREAM_ERRORS = 'urn:ietf:params:xml:ns:xmpp-streams'

/** XEP-0220: Server Dialback. */
export const NS_DIALBACK = 'jabber:server:dialback'

/** RFC 3921 §3: offered for old clients, and answered with an empty result. */
export const NS_SESSION = 'urn:ietf:params:xml:ns:xmpp-session'

/** RFC 6121: Extensible Messaging and Presence Protocol (XMPP): Instant Messaging and Presence. */
export const NS_ROSTER = 'jabber:iq:roster'
export const NS_ROSTER_VERSIONING = 'urn:xmpp:features:rosterver'
export const NS_PRE_APPROVAL = 'urn:xmpp:features:pre-approval'

/** RFC 7395: An Extensible Messaging and Presence Protocol (XMPP) Subprotocol for WebSocket. */
export const NS_FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing'

/** XEP-0045 §16.1: the namespaces of joins, of their errors, and of a room's statements about users. */
export const NS_MUC = 'http://jabber.org/protocol/muc'
export const NS_MUC_USER = `${NS_MUC}#user`

/** XEP-0334: Message Processing Hints. */
export const NS_HINTS = 'urn:xmpp:hints'
