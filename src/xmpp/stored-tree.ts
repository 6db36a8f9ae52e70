/** Trees of what is stored, within the limit for what the server itself reads. */
import { parseElementWithin } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { storedFrame } from '../xml/stored.ts'
import { StanzaError } from './errors.ts'
import { MAX_TREE } from './stanza.ts'

/** The tree of stored XML that declares its namespace. Throws StanzaError where it has more than `most` elements. */
export function storedTree (xml: string, most = MAX_TREE): Element {
  const tree = parseElementWithin(storedFrame(xml), most)
  if (!tree) throw new StanzaError('policy-violation', `there are too many elements: at most ${most} are allowed`)
  return tree
}
