/**
 * Compares what a script expects with what came, by scansion's rules: elements of the clients' own namespace leniently
 * (more attributes and children may be there, in any order), payloads strictly, `scansion:strict` says otherwise.
 */
import { formatXml, type XmlElement } from './xml.ts'

const STRICT = '{scansion}strict'
const NS_CLIENT = 'jabber:client'
/** RFC 6120 §8.1: what a server may add to a stanza; never unexpected. */
const SERVERS_CHOICE: ReadonlySet<string> = new Set(['to', 'from', 'xml:lang'])

/** What was caught by `{scansion:capture:name}`; a name that is caught again must have the same value. */
export type Captures = Map<string, string>

/** The first difference in words, or nothing when it matches; only a match leaves anything in `captures`. */
export function findMismatch (expected: XmlElement, actual: XmlElement, captures: Captures): string | undefined {
  const attempt = new Map(captures)
  const mismatch = compareElement(expected, actual, isStrict(expected), attempt)
  if (mismatch === undefined) for (const [name, value] of attempt) captures.set(name, value)
  return mismatch
}

function isStrict (expected: XmlElement, parent?: { readonly ns: string, readonly strict: boolean }): boolean {
  const told = expected.attributes.get(STRICT)
  if (told !== undefined) return told === 'true'
  return parent?.ns === expected.ns ? parent.strict : expected.ns !== NS_CLIENT
}

function compareElement (
  expected: XmlElement, actual: XmlElement, strict: boolean, captures: Captures,
): string | undefined {
  if (expected.name !== actual.name || expected.ns !== actual.ns) {
    return `expected <${expected.name} xmlns='${expected.ns}'>, got ${formatXml(actual)}`
  }
  return compareAttributes(expected, actual, strict, captures) ??
    compareText(expected, actual, strict, captures) ??
    (strict ? compareInOrder(expected, actual, captures) : compareSome(expected, actual, captures))
}

function compareAttributes (
  expected: XmlElement, actual: XmlElement, strict: boolean, captures: Captures,
): string | undefined {
  for (const [name, wanted] of expected.attributes) {
    if (name === STRICT) continue
    const value = actual.attributes.get(name)
    if (value === undefined) return `<${expected.name}> has no attribute '${name}'`
    if (!matchesValue(wanted, value, captures)) return `<${expected.name} ${name}='${value}'>, expected '${wanted}'`
  }
  const extra = !strict ? undefined : [...actual.attributes.keys()].find(name =>
    !expected.attributes.has(name) && !(actual.ns === NS_CLIENT && SERVERS_CHOICE.has(name)))
  return extra && `<${expected.name}> has the attribute '${extra}', which was not expected`
}

function compareText (
  expected: XmlElement, actual: XmlElement, strict: boolean, captures: Captures,
): string | undefined {
  const wanted = expected.text.trim()
  const text = actual.text.trim()
  if (wanted === '' && !strict) return undefined
  return matchesValue(wanted, text, captures) ? undefined : `<${expected.name}> says '${text}', expected '${wanted}'`
}

function compareInOrder (expected: XmlElement, actual: XmlElement, captures: Captures): string | undefined {
  if (expected.children.length !== actual.children.length) {
    return `<${expected.name}> has ${actual.children.length} children, expected ${expected.children.length}`
  }
  for (const [index, child] of expected.children.entries()) {
    const found = actual.children[index]
    const mismatch = found && compareElement(child, found, isStrict(child, { ns: expected.ns, strict: true }), captures)
    if (mismatch !== undefined) return mismatch
  }
  return undefined
}

function compareSome (expected: XmlElement, actual: XmlElement, captures: Captures): string | undefined {
  const left = [...actual.children]
  for (const child of expected.children) {
    const strict = isStrict(child, { ns: expected.ns, strict: false })
    let mismatch = `<${expected.name}> has no <${child.name} xmlns='${child.ns}'>`
    const index = left.findIndex(found => {
      const attempt = new Map(captures)
      const difference = compareElement(child, found, strict, attempt)
      if (difference === undefined) for (const [name, value] of attempt) captures.set(name, value)
      else if (found.name === child.name && found.ns === child.ns) mismatch = difference
      return difference === undefined
    })
    if (index === -1) return mismatch
    left.splice(index, 1)
  }
  return undefined
}

function matchesValue (wanted: string, value: string, captures: Captures): boolean {
  if (wanted === '{scansion:any}') return true
  const name = /^\{scansion:capture:(.+)\}$/.exec(wanted)?.[1]
  if (name === undefined) return wanted === value
  const caught = captures.get(name)
  captures.set(name, value)
  return caught === undefined || caught === value
}
