/**
 * XEP-0386: Bind 2. Binds within the login. The resource begins with the client's tag and is the same for each
 * installation of a client, so that its next login replaces a session left behind.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { JidError } from '../xmpp/jid.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Jid } from '../xmpp/jid.ts'

export const NS_BIND2 = 'urn:xmpp:bind:0'

const ID_LENGTH = 12

export interface BindRequest {
  /** The client's name, which others see. */
  readonly tag: string | undefined
  /** Features to enable at once, as elements of their namespaces. */
  readonly features: readonly Element[]
}

/** The inline part of SASL 2's feature; `features` are those that a bind request may enable. */
export function bindFeature (features: readonly string[]): Element {
  if (features.length === 0) return el('bind', NS_BIND2)
  return el('bind', NS_BIND2, {},
    el('inline', undefined, {}, features.map(feature => el('feature', undefined, { var: feature }))))
}

/** Reads `<bind/>`. */
export function parseBind (element: Element): BindRequest {
  return {
    tag: element.getChildText('tag', NS_BIND2) || undefined,
    features: element.getChildElements().filter(child => child.getNS() !== NS_BIND2),
  }
}

/**
 * XEP-0386 §3.2.1: `tag/id`. The id is derived from the client's own id, which it does not reveal, and the server's
 * secret; random for a client without an id. A tag that no resource may contain is left out.
 */
export function chooseAddress (
  secret: Buffer, account: Jid, tag: string | undefined, clientId: string | undefined,
): Jid {
  const id = clientId === undefined ? randomBytes(9).toString('base64url') : stableId(secret, account, tag, clientId)
  try {
    return account.withResource(tag === undefined ? id : `${tag}/${id}`)
  } catch (error) { // a JidError: the tag holds what RFC 7622 forbids, or is too long
    if (error instanceof JidError) return account.withResource(id)
    throw error
  }
}

/** The part of `<success/>` about the binding; `results` are the answers of the enabled features. */
export function bound (results: readonly Element[]): Element {
  return el('bound', NS_BIND2, {}, results)
}

function stableId (secret: Buffer, account: Jid, tag: string | undefined, clientId: string): string {
  const parts = ['bind 2 resource', account.toString(), tag ?? '', clientId.toLowerCase()]
  return createHmac('sha256', secret).update(parts.join('\0')).digest('base64url').slice(0, ID_LENGTH)
}
