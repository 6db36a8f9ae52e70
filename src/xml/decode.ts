/**
 * Decodes text and attributes: XML 1.0 §2.11, §3.3.3 and §4.1, with the five predefined entities (RFC 6120 §11.1). Its
 * input has passed the framer and is well-formed.
 */

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', apos: "'", gt: '>', lt: '<', quot: '"' }

const REFERENCE = /&(?:#x([0-9A-Fa-f]+)|#([0-9]+)|(\w+));/g

/** Whether the entity is one of the five predefined ones. */
export function isPredefined (name: string): boolean {
  return Object.hasOwn(ENTITIES, name)
}

/** The text of well-formed character data. */
export function decodeText (raw: string): string {
  return dereference(raw.includes('\r') ? unifyLineEnds(raw) : raw)
}

/** The value of a well-formed attribute, whose quotes `raw` lacks. */
export function decodeAttribute (raw: string): string {
  // XML 1.0 §3.3.3: literal white space becomes spaces, character references remain
  return dereference(unifyLineEnds(raw).replace(/[\t\n]/g, ' '))
}

/** XML 1.0 §2.11. */
export function unifyLineEnds (raw: string): string {
  return raw.replace(/\r\n?/g, '\n')
}

function dereference (raw: string): string {
  if (!raw.includes('&')) return raw
  return raw.replace(REFERENCE, (_whole, hex?: string, decimal?: string, name?: string) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    if (decimal !== undefined) return String.fromCodePoint(Number.parseInt(decimal, 10))
    return ENTITIES[name ?? ''] ?? ''
  })
}
