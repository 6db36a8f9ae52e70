/** What a client announces of its capabilities in its presence (XEP-0115 §4). */
import { NS_CAPS } from '../routing/caps.ts'
import type { Presence } from '../xmpp/stanza.ts'

export interface Announced {
  /** The hash function; undefined in the legacy format (§13). */
  readonly hash: string | undefined
  readonly node: string
  readonly ver: string
}

/** A hash function that is supported. */
interface HashFunction {
  /** Its name in Node. */
  readonly digest: string
  /** The length of a hash in Base64. */
  readonly length: number
}

/** Of the IANA registry of textual names (§9.1), without those that are broken. */
const HASH_FUNCTIONS: ReadonlyMap<string, HashFunction> = new Map([
  ['sha-1', { digest: 'sha1', length: 28 }], ['sha-224', { digest: 'sha224', length: 40 }],
  ['sha-256', { digest: 'sha256', length: 44 }], ['sha-384', { digest: 'sha384', length: 64 }],
  ['sha-512', { digest: 'sha512', length: 88 }],
])

/** The most characters of what is announced. */
const MAX_LENGTH = 1000
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** Undefined where the presence announces nothing, or too much. */
export function announcedIn (presence: Presence): Announced | undefined {
  const { hash, node = '', ver = '' } = presence.attributesOf('c', NS_CAPS) ?? {}
  const length = node.length + ver.length + (hash?.length ?? 0)
  return node === '' || ver === '' || length > MAX_LENGTH ? undefined : { hash, node, ver }
}

/** Node's name of the hash function; undefined where nothing can be verified (§5.4, steps 1 and 2). */
export function digestOf ({ hash, ver }: Announced): string | undefined {
  const known = HASH_FUNCTIONS.get(hash ?? '')
  return known?.length === ver.length && BASE64.test(ver) ? known.digest : undefined
}

export function isSame (one: Announced, other: Announced): boolean {
  return one.ver === other.ver && one.node === other.node && one.hash === other.hash
}
