/**
 * XEP-0355: Namespace Delegation, as the administrator has set it up: requests to the server and its accounts go to a
 * component, which answers them. What accounts delegate themselves (§5) and filtering attributes (§4.1) are left out.
 */
import type { ExtensionHost } from '../extension/host.ts'
import type { Identity } from '../routing/caps.ts'
import type { Disco, Nested } from '../routing/disco.ts'
import type { IqTable } from '../routing/iq-table.ts'
import type { ServerRequests } from '../routing/server-requests.ts'
import { inBackground } from '../util/background.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { NS_FORMS } from '../xmpp/forms.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import { iq } from '../xmpp/stanza.ts'
import type { Iq } from '../xmpp/stanza.ts'
import { hostFor } from './component-stream.ts'
import { forwardedIn, NS_FORWARD, stanzaIn } from './privileges.ts'
import type { Components } from './settings.ts'

const NS_DELEGATION = 'urn:xmpp:delegation:2'
const NS_INFO = 'http://jabber.org/protocol/disco#info'
/** What a component may tell of a namespace at most. */
const MAX_FEATURES = 200
const MAX_OTHERS = 20

export interface DelegationParts {
  readonly host: ExtensionHost
  readonly iqs: IqTable
  readonly disco: Disco
  readonly requests: ServerRequests
  readonly components: Components
  /** Whether the component is connected to any node. */
  readonly isConnected: (domain: string) => boolean
}

export class Delegation {
  readonly #parts: DelegationParts

  constructor (parts: DelegationParts) {
    this.#parts = parts
    const { components, iqs, host } = parts
    for (const [domain, { delegate }] of Object.entries(components)) {
      for (const ns of delegate) {
        iqs.delegate('delegation', ns, domain, (request, to) => this.#answer(request, to, domain))
      }
      if (delegate.length > 0) host.disco.feature(NS_DELEGATION)
    }
  }

  /** §4.3. */
  async #answer (request: Iq, to: Jid, domain: string): Promise<Element | void> {
    if (!this.#parts.isConnected(domain)) throw new StanzaError('service-unavailable')
    const answer = await this.#parts.requests.ask(iq('set',
      { from: Jid.parse(to.domain), to: Jid.parse(domain) }, forwardedIn('delegation', NS_DELEGATION, request)))
    const forwarded = answer.type === 'result'
      ? answer.payload('delegation', NS_DELEGATION)?.getChild('forwarded', NS_FORWARD) : undefined
    const inner = stanzaIn(forwarded?.getChild('iq', NS_CLIENT))
    if (inner?.kind !== 'iq' || !isAnswerTo(request, inner, to)) throw new StanzaError('service-unavailable')
    const [child] = inner.children
    if (child) return inner.tree(child)
  }

  /** §7.2: asks a component that has connected what it can do with what is delegated to it. */
  askFeatures (domain: string): void {
    const { components, disco, host } = this.#parts
    for (const ns of components[domain]?.delegate ?? []) {
      const nodes = [`${NS_DELEGATION}::${ns}`, `${NS_DELEGATION}:bare:${ns}`]
      const asked = Promise.all(nodes.map(node => this.#ask(domain, node)))
        .then(([server, account]) => { disco.nest(ns, { ...server && { server }, ...account && { account } }) })
      inBackground(host.log, 'features of a component', asked)
    }
  }

  async #ask (domain: string, node: string): Promise<Nested | undefined> {
    const { requests, host } = this.#parts
    const from = Jid.parse(hostFor(domain, host.hosts))
    const answer = await requests.ask(iq('get', { from, to: Jid.parse(domain) }, el('query', NS_INFO, { node })))
    const query = answer.type === 'result' ? answer.payload('query', NS_INFO) : undefined
    return query && nestedIn(query)
  }
}

/** §4.2: what a component is told of what is delegated to it. */
export function delegationElement (namespaces: readonly string[]): Element | undefined {
  if (namespaces.length === 0) return
  return el('delegation', NS_DELEGATION, {}, namespaces.map(namespace => el('delegated', NS_DELEGATION, { namespace })))
}

function isAnswerTo (request: Iq, answer: Iq, to: Jid): boolean {
  return answer.type === 'result' && answer.id === request.id && request.from !== undefined &&
    answer.to?.equals(request.from) === true && (answer.from === undefined || answer.from.equals(to))
}

function nestedIn (query: Element): Nested {
  return {
    identities: query.getChildren('identity', NS_INFO).slice(0, MAX_OTHERS)
      .flatMap(({ attrs }) => identityIn(attrs) ?? []),
    features: query.getChildren('feature', NS_INFO).slice(0, MAX_FEATURES).flatMap(({ attrs }) => attrs.var ?? []),
    forms: query.getChildren('x', NS_FORMS).slice(0, MAX_OTHERS),
  }
}

function identityIn ({ category, type, name }: Element['attrs']): Identity | undefined {
  if (category === undefined || type === undefined) return
  return name === undefined ? { category, type } : { category, type, name }
}
