/** The elements of server dialback (XEP-0220 §2), written and read. Its keys are in trust/dialback-key.ts. */
import { el, parseElement } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Frame } from '../xml/framer.ts'
import { StreamError } from '../xmpp/errors.ts'
import type { StanzaErrorCondition } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_STANZA_ERRORS } from '../xmpp/ns.ts'

/** XEP-0220 §2.4.2: the stream feature. */
export const NS_DIALBACK_FEATURE = 'urn:xmpp:features:dialback'

/** `result`: between the initiating and the receiving server; `verify`: between that and the authoritative one. */
export interface Dialback {
  readonly name: 'result' | 'verify'
  /** Prepared domains. */
  readonly from: string
  readonly to: string
  /** Of a `verify`: the id of the stream for which the key is. */
  readonly id?: string | undefined
  /** Of an answer; undefined in a request, which has a key. */
  readonly type?: 'valid' | 'invalid' | 'error' | undefined
  readonly key?: string | undefined
  /** Of an error (§2.5). */
  readonly condition?: string | undefined
}

/** The element; with the prefix `db`, which each stream header here declares and some servers insist on. */
export function dialbackElement ({ name, from, to, id, type, key, condition }: Dialback): Element {
  return el(`db:${name}`, undefined, { from, to, id, type }, condition === undefined ? key
    : el('error', undefined, { type: 'cancel' }, el(condition, NS_STANZA_ERRORS)))
}

/** The answer to a request, with the addresses swapped. */
export function dialbackAnswer (
  { name, from, to, id }: Dialback, type: 'valid' | 'invalid' | 'error', condition?: StanzaErrorCondition,
): Element {
  return dialbackElement({ name, from: to, to: from, id, type, condition })
}

/** Reads an element of the namespace; throws the stream's error where it is none of XEP-0220. */
export function readDialback (frame: Frame): Dialback {
  const { name, id, type } = frame
  const [from, to] = [domainOf(frame.from), domainOf(frame.to)]
  if (from === undefined || to === undefined) throw new StreamError('improper-addressing', 'dialback needs two domains')
  if (!isName(name) || !isType(type) || (name === 'verify' && id === undefined)) {
    throw new StreamError('bad-format', 'no element of dialback')
  }
  const element = parseElement(frame)
  const [condition] = element.getChild('error')?.getChildElements() ?? []
  return { name, from, to, id, type, key: element.text().trim(), condition: condition?.getName() }
}

function isName (name: string): name is Dialback['name'] {
  return name === 'result' || name === 'verify'
}

function isType (type: string | undefined): type is Dialback['type'] {
  return type === undefined || type === 'valid' || type === 'invalid' || type === 'error'
}

/** The prepared domain that an address consists of; undefined where it is none, or has other parts. */
export function domainOf (text: string | undefined): string | undefined {
  const jid = text === undefined ? undefined : Jid.tryParse(text)
  return jid?.isDomain ? jid.domain : undefined
}
