/** Trees of what is stored, within the limit for what the server itself reads. */
import { parseElementWithin } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { storedFrame } from '../xml/stored.ts'
import { StanzaError } from './errors.ts'
import { MAX_TREE } from './stanza.ts'

/** The tree of stored XML that declares its namespace. Throws StanzaError where it has too many elements. */
export function storedTree (xml: string): Element {
  const tree = parseElementWithin(storedFrame(xml), MAX_TREE)
  if (!tree) throw new StanzaError('policy-violation', `there are too many elements: at most ${MAX_TREE} are allowed`)
  return tree
}
