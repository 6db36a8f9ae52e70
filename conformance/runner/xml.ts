/**
 * Elements as the runner compares them, read by saxes: strictly, so that a server that sends XML which is not
 * well-formed fails the script that made it do so.
 */
import { SaxesParser, type SaxesTagNS } from 'saxes'

export interface XmlElement {
  readonly name: string
  readonly ns: string
  /** By local name; `xml:lang` keeps its prefix, any other namespace stands before the name in braces. */
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** The character data that stands directly in the element. */
  readonly text: string
}

interface OpenElement extends XmlElement {
  readonly attributes: Map<string, string>
  readonly children: XmlElement[]
  text: string
}

export interface StreamEvents {
  /** The header, as an element without children. */
  readonly header?: (header: XmlElement) => void
  readonly element: (element: XmlElement) => void
  readonly end: () => void
}

const NS_XML = 'http://www.w3.org/XML/1998/namespace'

/** Reads one stream: the header and each top-level element are handed over. Throws what saxes finds wrong. */
export class StreamReader {
  readonly #parser = new SaxesParser({ xmlns: true })
  readonly #open: OpenElement[] = []
  readonly #events: StreamEvents
  /** What was read in this chunk: saxes closes an element before it says that the closing tag was another's. */
  #complete: XmlElement[] = []
  #ended = false

  constructor (events: StreamEvents) {
    this.#events = events
    this.#parser.on('error', error => { throw error })
    this.#parser.on('opentag', tag => {
      const element = openElement(tag)
      if (this.#open.push(element) === 1) events.header?.(element)
    })
    this.#parser.on('text', text => { this.#append(text) })
    this.#parser.on('cdata', text => { this.#append(text) })
    this.#parser.on('closetag', () => {
      const element = this.#open.pop()
      const parent = this.#open.at(-1)
      if (!element) return
      if (!parent) this.#ended = true
      else if (this.#open.length === 1) this.#complete.push(element)
      else parent.children.push(element)
    })
  }

  write (text: string): void {
    this.#parser.write(text)
    const complete = this.#complete
    this.#complete = []
    for (const element of complete) this.#events.element(element)
    if (this.#ended) this.#events.end()
  }

  #append (text: string): void {
    const parent = this.#open.at(-1)
    if (parent && this.#open.length > 1) parent.text += text
  }
}

/** One element as a script writes it: in the namespace of clients, with the prefixes `stream`, `db` and `scansion`. */
export function parseXml (xml: string): XmlElement {
  const elements: XmlElement[] = []
  const reader = new StreamReader({ element: element => elements.push(element), end: () => {} })
  reader.write('<s xmlns="jabber:client" xmlns:stream="http://etherx.jabber.org/streams" '
    + 'xmlns:db="jabber:server:dialback" xmlns:scansion="scansion">')
  reader.write(xml)
  reader.write('</s>')
  const [element] = elements
  if (!element || elements.length > 1) throw new Error(`one element was expected, found ${elements.length}`)
  return element
}

/** For people who read a failure. */
export function formatXml (element: XmlElement, parentNs = 'jabber:client'): string {
  const attributes = [...element.attributes].map(([name, value]) => ` ${name}='${value}'`).join('')
  const ns = element.ns === parentNs ? '' : ` xmlns='${element.ns}'`
  const content = element.children.map(child => formatXml(child, element.ns)).join('') + element.text.trim()
  const start = `<${element.name}${ns}${attributes}`
  return content === '' ? `${start}/>` : `${start}>${content}</${element.name}>`
}

function openElement (tag: SaxesTagNS): OpenElement {
  const attributes = new Map<string, string>()
  for (const { prefix, local, uri, value } of Object.values(tag.attributes)) {
    if (prefix === 'xmlns' || (prefix === '' && local === 'xmlns')) continue
    attributes.set(uri === '' ? local : uri === NS_XML ? `xml:${local}` : `{${uri}}${local}`, value)
  }
  return { name: tag.local, ns: tag.uri, attributes, children: [], text: '' }
}
