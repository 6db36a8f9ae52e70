/**
 * XEP-0030: Service Discovery, XEP-0128: its extensions, and XEP-0115: Entity Capabilities. Answers for the server and
 * for accounts from what was declared, and gives the hash of it for stream features and the account's own use.
 */
import { createHash } from 'node:crypto'
import type { DiscoTarget, ExtensionHost } from '../extension/api.ts'
import type { Account } from '../session/account.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { formValues } from '../xmpp/forms.ts'
import type { Jid } from '../xmpp/jid.ts'

const NS_INFO = 'http://jabber.org/protocol/disco#info'
const NS_ITEMS = 'http://jabber.org/protocol/disco#items'
const NS_CAPS = 'http://jabber.org/protocol/caps'
const CAPS_NODE = 'urn:heliograph'

interface Identity { readonly category: string, readonly type: string, readonly name?: string }

interface Entity { readonly identities: Identity[], readonly features: Set<string>, readonly forms: Element[] }

export class Disco {
  readonly #entities: Readonly<Record<DiscoTarget, Entity>> = {
    server: {
      identities: [{ category: 'server', type: 'im', name: 'Heliograph' }],
      features: new Set([NS_INFO, NS_ITEMS, NS_CAPS]), forms: [],
    },
    account: {
      identities: [{ category: 'account', type: 'registered' }], features: new Set([NS_INFO, NS_ITEMS]), forms: [],
    },
  }
  #caps: Element | undefined

  /** What is returned takes the feature away again. */
  addFeature (ns: string, of: DiscoTarget): () => void {
    this.#entities[of].features.add(ns)
    this.#caps = undefined
    return () => { this.#entities[of].features.delete(ns) }
  }

  /** XEP-0128; what is returned takes the form away again. */
  addForm (form: Element, of: DiscoTarget): () => void {
    const { forms } = this.#entities[of]
    forms.push(form)
    this.#caps = undefined
    return () => { forms.splice(forms.indexOf(form), 1) }
  }

  /** Answers queries; `mayKnow` says whether somebody may be told about another's account (XEP-0030 §8). */
  register (host: ExtensionHost, mayKnow: (account: Account, from: Jid) => boolean): void {
    const answerInfo = (of: DiscoTarget, query: Element): Element => {
      const { node } = query.attrs
      if (node !== undefined && node !== `${CAPS_NODE}#${this.#ver()}`) throw new StanzaError('item-not-found')
      return this.#info(of, node)
    }
    const guarded = (answer: (query: Element) => Element) => async ({ to, from, payload }: { to: Jid, from: Jid, payload: Element }) => {
      const account = await host.account(to)
      if (!account || !mayKnow(account, from)) throw new StanzaError('service-unavailable')
      return answer(payload)
    }
    const info = { type: 'get', name: 'query', ns: NS_INFO } as const
    const items = { type: 'get', name: 'query', ns: NS_ITEMS } as const
    host.iq({ ...info, to: ['server'] }, ({ payload }) => answerInfo('server', payload))
    host.iq({ ...info, to: ['own-account'] }, ({ payload }) => answerInfo('account', payload))
    host.iq({ ...info, to: ['account'] }, guarded(query => answerInfo('account', query)))
    host.iq({ ...items, to: ['server', 'own-account'] }, ({ payload }) => answerItems(payload))
    host.iq({ ...items, to: ['account'] }, guarded(answerItems))
  }

  /** XEP-0115 §6.3: for the stream features. */
  caps (): Element {
    this.#caps ??= el('c', NS_CAPS, { hash: 'sha-1', node: CAPS_NODE, ver: this.#ver() })
    return this.#caps
  }

  #info (of: DiscoTarget, node: string | undefined): Element {
    const { identities, features, forms } = this.#entities[of]
    return el('query', NS_INFO, { node },
      ...identities.map(({ category, type, name }) => el('identity', NS_INFO, { category, type, name })),
      ...[...features].sort().map(feature => el('feature', NS_INFO, { var: feature })),
      ...forms)
  }

  // XEP-0115 §5.1.
  #ver (): string {
    const { identities, features, forms } = this.#entities.server
    const parts = [
      ...identities.map(({ category, type, name }) => `${category}/${type}//${name ?? ''}`).sort(),
      ...[...features].sort(),
      ...forms.map(verPart).sort(),
    ]
    return createHash('sha1').update(parts.map(part => part + '<').join('')).digest('base64')
  }
}

// XEP-0115 §5.1, steps 6 and 7: the form's type, then each field and its values, sorted.
function verPart (form: Element): string {
  const values = formValues(form)
  const fields = [...values].filter(([name]) => name !== 'FORM_TYPE').sort(([a], [b]) => a < b ? -1 : 1)
  return [values.get('FORM_TYPE')?.[0] ?? '', ...fields.flatMap(([name, all]) => [name, ...[...all].sort()])].join('<')
}

// XEP-0030 §4.
function answerItems (query: Element): Element {
  if (query.attrs.node !== undefined) throw new StanzaError('item-not-found')
  return el('query', NS_ITEMS)
}
