/** Reads stanzas from a stream's frames, or from stored XML. RFC 6120 §8.2.3 has the rules for iqs. */
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
 * The stanza in a frame, with addresses that the caller has checked; undefined for a nonza. Throws bad-request for an
 * iq against RFC 6120 §8.2.3, and for an unknown type of presence.
 */
export function stanzaOf (
  frame: Frame, from: Jid | undefined, to: Jid | undefined, lang: string | undefined,
): Stanza | undefined {
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

/**
 * Characters in which a stanza's opening tag, and so both its addresses, has room: SQL need not read all of a large
 * one.
 */
export const MAX_HEADER = 16_384

/** Reads a stored stanza, as `toBytes` or `toXml(NS_CLIENT)` has written it. */
export function storedStanza (xml: string | Buffer): Stanza {
  const frame = storedFrame(xml)
  const address = (text: string | undefined): Jid | undefined => text === undefined ? undefined : Jid.parse(text)
  // RFC 6120 §8.3.3.8: the sender of an error may be an invalid address.
  const from = frame.type === 'error' && frame.from !== undefined ? Jid.asWritten(frame.from) : address(frame.from)
  const stanza = stanzaOf(frame, from, address(frame.to), frame.lang)
  if (!stanza) throw new Error(`what was stored is no stanza: <${frame.name}>`)
  return stanza
}

// RFC 6121 §5.2.2: an unknown type counts as normal.
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
