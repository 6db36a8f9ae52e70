/**
 * Addresses (RFC 7622). A Jid is prepared when it is created, so that equal addresses are equal strings: the local part
 * by UsernameCaseMapped, the resource by OpaqueString, the domain in lower case with U-labels (§3.2.1), never A-labels,
 * and without a trailing dot; an IPv6 address in the format of RFC 5952.
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { LRUCache } from 'lru-cache'
import { toASCII, toUnicode } from 'tr46'
import { escapeAttribute } from '../xml/write.ts'
import { isIdentifier, opaqueString, refusedInOpaque, usernameCaseMapped } from './precis.ts'

/** RFC 7622 §3.1: the limit of each part, in UTF-8. */
const MAX_PART_BYTES = 1023
/** A longer text is too long after any mapping and composition: 3 UTF-16 units become at least 2 bytes. */
const MAX_RAW_LENGTH = 1.5 * MAX_PART_BYTES
/** RFC 7622 §3.3.1. */
const NOT_IN_LOCAL = /["&'/:<>@]/
/** NR-LDH labels (RFC 5890 §2.3.1): letters, digits and hyphens, no label an A-label or like one. */
const HOST_NAME = /^(?:(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.(?=.)|$))+$/
/** RFC 1035 §2.3.4, less the root's dot and length. */
const MAX_HOST_NAME = 253
/** A longer name exceeds MAX_HOST_NAME in ASCII, unless half of it are combining marks that composition removes. */
const MAX_IDN_LENGTH = 2 * MAX_HOST_NAME
/** Texts that are expensive to prepare: not ASCII, or with A-labels (RFC 5890 §2.3.2.1). */
const DEAR = /[^\0-\x7F]|xn--/i
const ENDS_IN_NUMBER = /(?:^|\.)\d+$/
const IDNA_STRICT = {
  checkHyphens: true, checkBidi: true, checkJoiners: true, useSTD3ASCIIRules: true, verifyDNSLength: true,
}
/** Limits of the cache of parsed texts: a few megabytes at worst. */
const MAX_REMEMBERED = 10_000
const MAX_REMEMBERED_LENGTH = 256
/** RFC 7622 §3.1: the limit of a whole address, in UTF-8. */
const MAX_BYTES = 3 * MAX_PART_BYTES + 2

/** The text is not an address; the message says why and never quotes it. */
export class JidError extends Error {
  override readonly name = 'JidError'
}

/** Includes invalid texts, which take as long to parse. */
const remembered = new LRUCache<string, Jid | JidError>({ max: MAX_REMEMBERED })

/** An address; immutable. Missing parts are empty strings. */
export class Jid {
  readonly local: string
  readonly domain: string
  readonly resource: string
  readonly #text: string
  #bare: Jid | undefined
  #attribute: string | undefined

  private constructor (local: string, domain: string, resource: string, bare?: Jid) {
    this.local = local
    this.domain = domain
    this.resource = resource
    const bareText = local === '' ? domain : `${local}@${domain}`
    this.#text = resource === '' ? bareText : `${bareText}/${resource}`
    this.#bare = bare
  }

  /** Parses and prepares an address; recent texts are cached. Throws JidError. */
  static parse (text: string): Jid {
    const known = remembered.get(text) ?? Jid.#prepare(text)
    if (known instanceof JidError) throw known
    return known
  }

  /** The same; undefined where the text is no address. */
  static tryParse (text: string): Jid | undefined {
    const known = remembered.get(text) ?? Jid.#prepare(text)
    return known instanceof JidError ? undefined : known
  }

  static #prepare (text: string): Jid | JidError {
    let found: Jid | JidError
    try {
      found = Jid.#split(text)
    } catch (error) {
      if (!(error instanceof JidError)) throw error
      found = error
    }
    if (text.length <= MAX_REMEMBERED_LENGTH) remembered.set(text, found)
    return found
  }

  /** The address of a stored `toString()`: neither prepared nor checked. */
  static kept (text: string): Jid {
    const known = remembered.get(text)
    if (known instanceof Jid) return known
    const [bare, resource] = split(text)
    const at = bare.indexOf('@')
    return new Jid(at === -1 ? '' : bare.slice(0, at), bare.slice(at + 1), resource ?? '')
  }

  /** Whether the text is expensive to parse: an international address that is not cached. */
  static isDear (text: string): boolean {
    return DEAR.test(text) && !remembered.has(text)
  }

  /** The address of these parts; `local` and `resource` may be empty. Throws JidError. */
  static of (local: string, domain: string, resource = ''): Jid {
    return new Jid(
      local === '' ? '' : prepareLocal(local),
      prepareDomain(domain),
      resource === '' ? '' : prepareResource(resource),
    )
  }

  /**
   * The address, or for an invalid text a Jid that is written like it, as the sender of an error (RFC 6120 §8.3.3.8);
   * never a recipient. For a text longer than any address, its bare part if that is valid, or else undefined.
   */
  static asWritten (text: string): Jid | undefined {
    const jid = Jid.tryParse(text)
    if (jid) return jid
    const [bare, resource = ''] = split(text)
    const good = Jid.tryParse(bare)
    if (text.length > MAX_BYTES || Buffer.byteLength(text) > MAX_BYTES) return good
    return good ? new Jid(good.local, good.domain, resource, good) : new Jid('', bare, resource)
  }

  static #split (text: string): Jid {
    const [bare, resource] = split(text)
    const at = bare.indexOf('@')
    return new Jid(
      at === -1 ? '' : prepareLocal(bare.slice(0, at)),
      prepareDomain(bare.slice(at + 1)),
      resource === undefined ? '' : prepareResource(resource),
    )
  }

  /** The address without its resource; itself when it has none. */
  get bare (): Jid {
    if (this.resource === '') return this
    this.#bare ??= new Jid(this.local, this.domain, '')
    return this.#bare
  }

  get isBare (): boolean {
    return this.resource === ''
  }

  /** Whether it consists of a domain only. */
  get isDomain (): boolean {
    return this.local === '' && this.resource === ''
  }

  /** The address with this resource in place of its own. Throws JidError. */
  withResource (resource: string): Jid {
    return new Jid(this.local, this.domain, prepareResource(resource), this.bare)
  }

  equals (other: Jid): boolean {
    return this === other || this.#text === other.#text
  }

  toString (): string {
    return this.#text
  }

  /** Escaped for an attribute. */
  get attribute (): string {
    return this.#attribute ??= escapeAttribute(this.#text)
  }
}

/** The bare part, and the resource where there is a slash. RFC 7622 §3.2: the slash comes before the at sign. */
function split (text: string): readonly [string, string?] {
  const slash = text.indexOf('/')
  return slash === -1 ? [text] : [text.slice(0, slash), text.slice(slash + 1)]
}

function prepareLocal (text: string): string {
  const local = sized('local part', usernameCaseMapped, text)
  if (NOT_IN_LOCAL.test(local)) throw new JidError('the local part has a character that is not allowed in it')
  return local
}

function prepareResource (text: string): string {
  return sized('resource', opaqueString, text, refusedInOpaque)
}

// RFC 7622 §3.3 and §3.4: the limits apply to the prepared part.
function sized (
  part: string, prepare: (text: string) => string | undefined, text: string,
  refused?: (text: string) => string | undefined,
): string {
  if (text === '') throw new JidError(`the ${part} is empty`)
  const prepared = text.length > MAX_RAW_LENGTH ? text : prepare(text)
  if (prepared === undefined) {
    const which = refused?.(text)
    const detail = which === undefined ? '' : `: ${which}`
    throw new JidError(`the ${part} has a character that is not allowed in it${detail}`)
  }
  if (isTooLong(prepared)) throw new JidError(`the ${part} is longer than ${MAX_PART_BYTES} bytes`)
  return prepared
}

function isTooLong (text: string): boolean {
  return text.length > MAX_PART_BYTES / 3 && Buffer.byteLength(text) > MAX_PART_BYTES
}

function prepareDomain (text: string): string {
  // RFC 7622 §3.2: the trailing dot is removed before any other step.
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  if (name === '') throw new JidError('the domain is empty')
  if (name.length > MAX_PART_BYTES) throw new JidError('the domain is too long')
  const lower = name.toLowerCase()
  if (lower.length <= MAX_HOST_NAME && HOST_NAME.test(lower)) return checkedNumber(lower)
  if (name.startsWith('[')) return prepareIpv6(name)
  // tr46 would refuse these, too, but more slowly
  if (!DEAR.test(name) || name.length > MAX_IDN_LENGTH) throw new JidError('the domain is not a domain name')
  return prepareIdn(name)
}

function prepareIdn (name: string): string {
  const ascii = toASCII(name, IDNA_STRICT)
  if (ascii === null) throw new JidError('the domain is not a domain name')
  const { domain } = toUnicode(ascii)
  // RFC 7622 §3.2.1: tr46 accepts symbols, and checks no contextual rules (RFC 5892 appendix A) but those of joiners.
  if (!domain.split('.').every(isIdentifier)) throw new JidError('the domain has a character that is not allowed in it')
  return checkedNumber(domain)
}

// RFC 1123 §2.1: a domain that ends in a number must be an IPv4 address, since others would read it as one.
function checkedNumber (domain: string): string {
  if (ENDS_IN_NUMBER.test(domain) && !isIPv4(domain)) throw new JidError('the domain is not an IPv4 address')
  return domain
}

// RFC 3986 §3.2.2; zone ids (RFC 6874) have a meaning on one machine only, and are refused.
function prepareIpv6 (name: string): string {
  const address = name.slice(1, -1)
  const isLiteral = name.endsWith(']') && isIPv6(address) && !address.includes('%')
  if (!isLiteral) throw new JidError('the domain is not an IPv6 address')
  return `[${new SocketAddress({ address, family: 'ipv6' }).address}]`
}
