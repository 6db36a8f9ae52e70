/** The content of `<stream:error/>`, written and read (RFC 6120 §4.9.2). */
import { el, parseElement } from '../xml/element.ts'
import type { Frame } from '../xml/framer.ts'
import type { StreamError } from '../xmpp/errors.ts'
import { NS_STREAM_ERRORS } from '../xmpp/ns.ts'

/** The most characters of a peer's text that are kept. */
const MAX_TEXT = 200

/** The XML inside of the element. */
export function errorContent ({ condition, text, detail }: StreamError): string {
  return [
    el(condition, NS_STREAM_ERRORS),
    ...(text === undefined ? [] : [el('text', NS_STREAM_ERRORS, { 'xml:lang': 'en' }, text)]),
    ...(detail ? [el(detail.name, detail.ns, detail.attrs)] : []),
  ].join('')
}

/** The error with which a peer ended its stream. Its condition may be any text. */
export class StreamFault extends Error {
  readonly condition: string
  /** The peer's words: for logs and status, never for other people's clients. */
  readonly text: string | undefined

  constructor (frame: Frame) {
    const children = parseElement(frame).getChildElements().filter(child => child.getNS() === NS_STREAM_ERRORS)
    const condition = children.find(child => child.getName() !== 'text')?.getName() ?? 'undefined-condition'
    const text = children.find(child => child.getName() === 'text')?.text().slice(0, MAX_TEXT)
    super(text ? `${condition}: ${text}` : condition)
    this.name = 'StreamFault'
    this.condition = condition.slice(0, MAX_TEXT)
    this.text = text
  }
}
