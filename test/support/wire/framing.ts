/** What a framer makes of some bytes, in a form that can be compared; for tests of XML. */

import {
  type Frame,
  Framer,
  type FramerLimits,
  type StreamEnd,
  type StreamStart,
  XmlError,
} from '../../../src/xml/framer.ts'

export const LIMITS: FramerLimits = {
  stanzaBytes: 262_144,
  depth: 64,
  attributes: 64,
  nameBytes: 256,
  elements: 16_384,
}

export const HEADER = "<stream:stream to='localhost' version='1.0' xmlns='jabber:client'" +
  " xmlns:stream='http://etherx.jabber.org/streams'>"

export interface Outcome {
  readonly things: readonly (StreamStart | StreamEnd | Omit<Frame, 'inner'> & { readonly inner: string })[]
  /** The condition of the fault, if there was one. */
  readonly fault: string | undefined
  readonly buffered: number
}

/** Gives a new framer these pieces, one after the other, and takes all that is to be had after each. */
export function frameAll (pieces: readonly (Buffer | string)[], limits: FramerLimits = LIMITS): Outcome {
  const framer = new Framer(limits)
  const things: Outcome['things'][number][] = []
  try {
    for (const piece of pieces) {
      framer.push(Buffer.from(piece))
      for (let thing = framer.next(); thing !== undefined; thing = framer.next()) {
        things.push(thing.kind === 'element' ? { ...thing, inner: thing.inner.toString('latin1') } : thing)
      }
    }
  } catch (error) {
    if (!(error instanceof XmlError)) throw error
    return { things, fault: error.condition, buffered: 0 }
  }
  return { things, fault: undefined, buffered: framer.buffered }
}

/** The bytes as they might come from the network: one by one, and in two pieces cut at each place. */
export function cuts (bytes: Buffer): readonly (readonly Buffer[])[] {
  const single = Array.from(bytes, byte => Buffer.of(byte))
  const halves = single.map((_byte, at) => [bytes.subarray(0, at), bytes.subarray(at)])
  return [single, ...halves]
}
