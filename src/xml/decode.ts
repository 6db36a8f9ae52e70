/**
 * What text and attributes stand for: XML 1.0 §2.11, §3.3.3 and §4.1, with the five entities that RFC 6120 §11.1
 * leaves. What is decoded here has passed the framer, so there is nothing left to refuse.
 */

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', apos: "'", gt: '>', lt: '<', quot: '"' }

const REFERENCE = /&(?:#x([0-9A-Fa-f]+)|#([0-9]+)|(\w+));/g

/** Whether the entity is one that needs no declaration. */
export function isPredefined (name: string): boolean {
  return Object.hasOwn(ENTITIES, name)
}

/** The text that well-formed character data stands for. */
export function decodeText (raw: string): string {
  return dereference(raw.includes('\r') ? unifyLineEnds(raw) : raw)
}

/** The value that a well-formed attribute's text, without its quotes, stands for. */
export function decodeAttribute (raw: string): string {
  // XML 1.0 §3.3.3: white space as it stands becomes spaces, what is referred to remains
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
