/** The wire format between an edge and an owner: elements and errors of a stream. */
import type { StreamErrorRecord } from '../../cluster/bus/protocol.ts'
import type { Frame } from '../../xml/framer.ts'
import { escapeAttribute } from '../../xml/write.ts'
import { StreamError } from '../../xmpp/errors.ts'

/** An element as standalone XML, to be read with `storedFrame`. */
export function frameBytes ({ name, ns, to, from, id, type, lang, attributes, inner }: Frame): Buffer {
  const opening = `<${name}${attribute('xmlns', ns)}${attribute('to', to)}${attribute('from', from)}` +
    `${attribute('id', id)}${attribute('type', type)}${attribute('xml:lang', lang)}${attributes}`
  if (inner.length === 0) return Buffer.from(opening + '/>')
  const closing = `</${name}>`
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(opening) + 1 + inner.length + Buffer.byteLength(closing))
  let at = bytes.write(opening + '>')
  at += inner.copy(bytes, at)
  bytes.write(closing, at)
  return bytes
}

function attribute (name: string, value: string | undefined): string {
  return value === undefined ? '' : ` ${name}='${escapeAttribute(value)}'`
}

/** A stream error for another node. */
export function errorRecord ({ condition, text, detail }: StreamError): StreamErrorRecord {
  return { condition, text, detail }
}

/** A stream error from another node. */
export function streamError ({ condition, text, detail }: StreamErrorRecord): StreamError {
  return new StreamError(condition, text, detail)
}
