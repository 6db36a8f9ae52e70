/** Stanzas of what was read: from a stream, or from where one was kept. RFC 6120 §8.2.3 says what is none. */
import type { Frame } from '../xml/framer.ts'
import { storedFrame } from '../xml/stored.ts'
import { StanzaError } from './errors.ts'
import { Jid } from './jid.ts'
import { StanzaOf } from './stanza.ts'
import type { IqType, MessageType, PresenceType, Stanza } from './stanza.ts'

const MESSAGE_TYPES: ReadonlySet<string> = new Set(['normal', 'chat', 'groupchat', 'headline', 'error'])
const PRESENCE_TYPES: ReadonlySet<string> = new Set([
  'unavailable', 'subscribe', 'subscribed', 'unsubscribe', 'unsubscribed', 'probe', 'error',
])
const IQ_TYPES: ReadonlySet<string> = new Set(['get', 'set', 'result', 'error'])

/**
 * The stanza in a frame, with the addresses that its stream vouches for. A frame that is no stanza gives nothing;
 * one that breaks RFC 6120 §8.2.3 or has a type that its kind doesn't know is a `bad-request`.
 */
export function stanzaOf (frame: Frame, from: Jid | undefined, to: Jid | undefined, lang: string | undefined): Stanza | undefined {
  const header = { from, to, id: frame.id, lang, attributes: frame.attributes }
  switch (frame.name) {
    case 'message':
      return new StanzaOf('message', messageType(frame.type), header, frame.inner, frame.children)
    case 'presence':
      return new StanzaOf('presence', presenceType(frame.type), header, frame.inner, frame.children)
    case 'iq':
      return new StanzaOf('iq', iqType(frame), header, frame.inner, frame.children)
  }
}

/** A stanza that was written with its namespace: as `toBytes` does, or `toXml(NS_CLIENT)`. */
export function storedStanza (xml: string | Buffer): Stanza {
  const frame = storedFrame(xml)
  const address = (text: string | undefined): Jid | undefined => text === undefined ? undefined : Jid.parse(text)
  // RFC 6120 §8.3.3.8: an error may come from what is no address.
  const from = frame.type === 'error' && frame.from !== undefined ? Jid.asWritten(frame.from) : address(frame.from)
  const stanza = stanzaOf(frame, from, address(frame.to), frame.lang)
  if (!stanza) throw new Error(`what was stored is no stanza: <${frame.name}>`)
  return stanza
}

// RFC 6121 §5.2.2: a type that is not understood counts as normal.
function messageType (type: string | undefined): MessageType {
  return type !== undefined && MESSAGE_TYPES.has(type) ? type as MessageType : 'normal'
}

// RFC 6121 §4.7.1.
function presenceType (type: string | undefined): PresenceType {
  if (type === undefined) return 'available'
  if (!PRESENCE_TYPES.has(type)) throw new StanzaError('bad-request', 'unknown presence type')
  return type as PresenceType
}

// RFC 6120 §8.2.3: an id, one of four types, and one payload in a request.
function iqType (frame: Frame): IqType {
  if (frame.id === undefined) throw new StanzaError('bad-request', 'the request has no id')
  if (frame.type === undefined || !IQ_TYPES.has(frame.type)) {
    throw new StanzaError('bad-request', 'unknown request type')
  }
  const isRequest = frame.type === 'get' || frame.type === 'set'
  if (isRequest && frame.children.length !== 1) {
    throw new StanzaError('bad-request', 'the request must contain exactly one element')
  }
  return frame.type as IqType
}
