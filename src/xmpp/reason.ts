/** Reasons that users give for an action, such as destroying a room; limited, since they are sent to many. */
import type { Element } from '../xml/element.ts'
import { StanzaError } from './errors.ts'

const MAX_BYTES = 4096

/** The text of that child, if there is one; throws policy-violation where it is longer than 4096 bytes. */
export function briefTextIn (said: Element, name: string, ns: string): string | undefined {
  const text = said.getChildText(name, ns)
  return text === null ? undefined : brief(text)
}

/** The text itself; throws policy-violation where it is longer than 4096 bytes. */
export function brief (text: string): string {
  if (Buffer.byteLength(text) > MAX_BYTES) {
    throw new StanzaError('policy-violation', `the text is too long: at most ${MAX_BYTES} bytes are allowed`)
  }
  return text
}
