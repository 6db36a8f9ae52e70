/** Trees: the elements of @xmpp/xml behind a readonly type. */
import xml, { Parser } from '@xmpp/xml'
import { clone } from 'ltx'
import type { Child, Frame } from './frame.ts'
import { escapeAttribute } from './write.ts'

export interface Element {
  readonly name: string
  readonly attrs: Readonly<Record<string, string>>
  readonly children: readonly (Element | string)[]
  getName (): string
  getNS (): string | undefined
  getChild (name: string, ns?: string): Element | undefined
  getChildren (name: string, ns?: string): readonly Element[]
  getChildText (name: string, ns?: string): string | null
  getChildElements (): readonly Element[]
  text (): string
  toString (): string
}

export function el (name: string, ns: string | undefined, attrs: Record<string, string | undefined> = {}, ...children: readonly (Element | string | undefined)[]): Element {
  const kept = Object.entries(attrs).filter(([, v]) => v !== undefined)
  return xml(name, Object.fromEntries([...(ns === undefined ? [] : [['xmlns', ns]]), ...kept]), ...children.filter(c => c !== undefined).map(c => typeof c === 'string' ? c : clone(c as any) as any)) as unknown as Element
}

export function parseStored (text: string): Element {
  const parser = new Parser()
  let found: Element | undefined
  parser.on('start', () => {})
  parser.on('element', (e: any) => { found = e })
  parser.write(`<x>${text}</x>`)
  if (!found) throw new Error('no element')
  ;(found as any).parent = null
  return found
}

export function parseElement (frame: Frame): Element {
  const a = (n: string, v: string | undefined): string => v === undefined ? '' : ` ${n}='${escapeAttribute(v)}'`
  return parseStored(`<${frame.name} xmlns='${frame.ns}'${a('to', frame.to)}${a('from', frame.from)}${a('id', frame.id)}${a('type', frame.type)}${a('xml:lang', frame.lang)}${frame.attributes}>${frame.inner.toString()}</${frame.name}>`)
}

export function parseChild (frame: Pick<Frame, 'inner' | 'children' | 'ns' | 'attributes'>, child: Child): Element {
  const tree = parseStored(`<y xmlns='${frame.ns}'${frame.attributes}>${frame.inner.subarray(child.start, child.end).toString()}</y>`)
  const [only] = tree.getChildElements()
  if (!only) throw new Error('no child')
  if (!(only as any).attrs.xmlns && !only.name.includes(':')) (only as any).attrs.xmlns = only.getNS()
  ;(only as any).parent = null
  return only
}
