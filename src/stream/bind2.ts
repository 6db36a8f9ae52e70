/**
 * XEP-0386: Bind 2. Binds within the login, to a resource that begins with the client's tag and is the same whenever
 * the same installation of a client asks, so that a session which was left behind is replaced.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { JidError } from '../xmpp/jid.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Jid } from '../xmpp/jid.ts'

export const NS_BIND2 = 'urn:xmpp:bind:0'

const ID_LENGTH = 12

export interface BindRequest {
  /** What the client calls itself, in public. */
  readonly tag: string | undefined
  /** What shall be on from the start: elements of other namespaces. */
  readonly features: readonly Element[]
}

/** What stands in the inline part of SASL 2's feature; `features` can be asked for in the bind request. */
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
 * XEP-0386 §3.2.1: `tag/id`. The id is made from the client's own id, which it does not show, and the server's secret;
 * it is random for a client without one. A tag that can't stand in a resource is left out.
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

/** What `<success/>` says of the binding; `results` are what the requested features answer. */
export function bound (results: readonly Element[]): Element {
  return el('bound', NS_BIND2, {}, results)
}

function stableId (secret: Buffer, account: Jid, tag: string | undefined, clientId: string): string {
  const parts = ['bind 2 resource', account.toString(), tag ?? '', clientId.toLowerCase()]
  return createHmac('sha256', secret).update(parts.join('\0')).digest('base64url').slice(0, ID_LENGTH)
}
