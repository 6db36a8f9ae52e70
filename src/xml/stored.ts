/** XML that was kept: it was checked when it came in, and is read back as it is. */
import { parseElement } from './element.ts'
import type { Element } from './element.ts'
import { parseFrame } from './framer.ts'
import type { Frame, FramerLimits } from './framer.ts'

const NO_LIMITS: FramerLimits = { stanzaBytes: Infinity, depth: Infinity, attributes: Infinity, nameBytes: Infinity, elements: Infinity }

/** The frame of an element that was written with its namespace. */
export function storedFrame (xml: string | Buffer): Frame {
  return parseFrame(typeof xml === 'string' ? Buffer.from(xml) : xml, NO_LIMITS)
}

/** The tree of an element that was written with its namespace. */
export function parseStored (xml: string): Element {
  return parseElement(storedFrame(xml))
}
