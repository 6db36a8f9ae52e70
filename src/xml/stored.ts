/** Reads stored XML, which was checked when it was received. */
import { parseElement } from './element.ts'
import type { Element } from './element.ts'
import { parseFrame, XmlError } from './framer.ts'
import type { Frame, FramerLimits } from './framer.ts'

const NO_LIMITS: FramerLimits = {
  stanzaBytes: Infinity, depth: Infinity, attributes: Infinity, nameBytes: Infinity, elements: Infinity,
}

/** The frame of an element that declares its namespace. */
export function storedFrame (xml: string | Buffer): Frame {
  return parseFrame(typeof xml === 'string' ? Buffer.from(xml) : xml, NO_LIMITS)
}

/** The same; undefined where it has more than `most` children, the rest of which is not parsed. */
export function storedFrameOf (most: number, xml: string): Frame | undefined {
  try {
    return parseFrame(Buffer.from(xml), NO_LIMITS, most)
  } catch (error) {
    if (error instanceof XmlError && error.condition === 'policy-violation') return
    throw error
  }
}

/** The tree of an element that declares its namespace. */
export function parseStored (xml: string): Element {
  return parseElement(storedFrame(xml))
}
