/**
 * XEP-0356: Privileged Entity. What a component may do in the name of the accounts: send their messages and requests,
 * and hear of their presence and rosters. Rosters themselves are answered for in src/roster.
 */
import type { ExtensionHost } from '../extension/host.ts'
import type { IqRequest } from '../extension/requests.ts'
import type { AccountView, SessionView } from '../extension/views.ts'
import type { Router } from '../routing/router.ts'
import { eachInSlices, neverRejects } from '../util/background.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { Written } from '../xml/written.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { withoutForged } from '../xmpp/forged.ts'
import { Jid, JidError } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import { storedStanza } from '../xmpp/read-stanza.ts'
import type { Iq, Message, Presence, Stanza } from '../xmpp/stanza.ts'
import { ContactPresences } from './contact-presences.ts'
import { allows } from './settings.ts'
import type { Components, Privileges } from './settings.ts'

const NS_PRIVILEGE = 'urn:xmpp:privilege:2'
export const NS_FORWARD = 'urn:xmpp:forward:0'

export interface PrivilegedParts {
  readonly host: ExtensionHost
  readonly router: Pick<Router, 'route' | 'post' | 'requests' | 'isServed'>
  readonly components: Components
  /** Those in memory here, and whether there is one at all. */
  readonly accounts: { atHome (): Iterable<AccountView>, exists (jid: Jid): Promise<boolean> }
}

export class PrivilegedComponents {
  readonly #parts: PrivilegedParts
  readonly #contacts = new ContactPresences()
  /** Of components with the privilege. */
  readonly #pushTo: readonly Jid[]
  readonly #announceTo: readonly Jid[]
  readonly #contactsTo: readonly Jid[]

  constructor (parts: PrivilegedParts) {
    this.#parts = parts
    const { host, router, components } = parts
    const withPrivilege = (has: (privileges: Privileges) => boolean): readonly Jid[] =>
      Object.entries(components).flatMap(([domain, { privileges }]) => has(privileges) ? [Jid.parse(domain)] : [])
    this.#pushTo = withPrivilege(({ roster, rosterPush }) => rosterPush && allows(roster, 'get'))
    this.#announceTo = withPrivilege(({ presence }) => presence !== 'none')
    this.#contactsTo = withPrivilege(({ presence }) => presence === 'roster')
    host.when('roster.changed', ({ jid }, push) => {
      for (const to of this.#pushTo) router.post(push.withAddress(jid, to))
    })
    host.when('presence.announced', (session, isInitial) => { this.#announced(session, isInitial) })
    host.when('presence.withdrawn', ({ jid }, presence) => {
      this.#send(presence.withAddress(jid, undefined), this.#announceTo)
    })
    host.when('presence.received', (presence, account) => { this.#received(presence, account) })
    for (const type of ['get', 'set'] as const) {
      const route = { type, to: ['account', 'address'], name: 'privileged_iq', ns: NS_PRIVILEGE } as const
      host.iq(route, request => this.#ask(request))
    }
  }

  // ——— presence (§7)

  /** §7.1: updates of an account's own presence are for those only who hear of contacts, too. */
  #announced ({ jid, presence }: SessionView, isInitial: boolean): void {
    if (presence) this.#send(presence.withAddress(jid, undefined), isInitial ? this.#announceTo : this.#contactsTo)
  }

  /** §7.4. Presence of accounts here is known by `announced`. */
  #received (presence: Presence, account: AccountView): void {
    const { from, type } = presence
    if (this.#contactsTo.length === 0 || !from || (type !== 'available' && type !== 'unavailable')) return
    const { hosts, accounts } = this.#parts.host
    if (hosts.includes(from.domain) || !accounts.isContact(account, from)) return
    if (this.#contacts.isNew(from, presence)) this.#send(presence, this.#contactsTo)
  }

  #send (presence: Presence, to: readonly Jid[]): void {
    for (const component of to) this.#parts.router.post(presence.withAddress(presence.from, component))
  }

  /** §8: a component has connected, here or at another node, and is told what it would have heard from this one. */
  tellPresence (domain: string): void {
    const to = Jid.parse(domain)
    const isAmong = (some: readonly Jid[]): boolean => some.some(one => one.equals(to))
    const { host: { log }, router } = this.#parts
    const all = [
      ...isAmong(this.#announceTo) ? this.#ownPresences() : [],
      ...isAmong(this.#contactsTo) ? this.#contacts.available : [],
    ]
    neverRejects(eachInSlices(log, 'presence for a component', all, presence => { // as it says
      router.post(presence.withAddress(presence.from, to))
    }))
  }

  * #ownPresences (): Iterable<Presence> {
    for (const { sessions } of this.#parts.accounts.atHome()) {
      for (const { jid, presence } of sessions) if (presence) yield presence.withAddress(jid, undefined)
    }
  }

  // ——— messages (§5)

  /** Routes a component's stanza; what it says in the name of an account or a host is routed as theirs. */
  route (stanza: Stanza): void | Promise<void> {
    const { router, host } = this.#parts
    const isForHost = stanza.to?.isDomain === true && host.hosts.includes(stanza.to.domain)
    if (stanza.kind !== 'message' || !isForHost || !stanza.has('privilege', NS_PRIVILEGE)) return router.route(stanza)
    return this.#sendFor(stanza)
  }

  async #sendFor (message: Message): Promise<void> {
    const privileges = this.#privilegesOf(message.from)
    if (message.type === 'error') return
    if (privileges?.message !== 'outgoing') throw forbidden('it may not send messages of others')
    const forwarded = message.payload('privilege', NS_PRIVILEGE)?.getChild('forwarded', NS_FORWARD)
    const inner = forwarded && stanzaIn(forwarded.getChild('message', NS_CLIENT))
    if (inner?.kind !== 'message') throw forbidden('there is no message in it')
    const { from } = inner
    if (!from?.isBare || !await this.#isManaged(from)) throw forbidden('the message is not from an account here')
    const { router } = this.#parts
    return router.route(withoutForged(inner.to ? inner : inner.withAddress(from, from), from, router.isServed))
  }

  /** An account, or a host itself. */
  async #isManaged (jid: Jid): Promise<boolean> {
    const { host: { hosts }, accounts } = this.#parts
    return hosts.includes(jid.domain) && (jid.isDomain || await accounts.exists(jid))
  }

  // ——— requests (§6)

  /** Sends a request in the name of the account, and returns the answer. */
  async #ask ({ type, from, to, payload }: IqRequest): Promise<Written> {
    const privileges = this.#privilegesOf(from)
    if (!privileges) throw new StanzaError('service-unavailable')
    if (!await this.#isManaged(to)) throw forbidden('there is no such account')
    const inner = stanzaIn(payload.getChild('iq', NS_CLIENT))
    if (inner?.kind !== 'iq' || inner.type !== type) throw forbidden('there is no request of that type in it')
    const [child] = inner.children
    if (!child || !allows(granted(privileges.iq, child.ns), type)) throw forbidden('it may not send such requests')
    if (inner.from && !inner.from.equals(to)) throw forbidden('the request is of another account')
    const answer = await this.#parts.router.requests.ask(inner.withAddress(to, inner.to ?? to))
    return forwardedIn('privilege', NS_PRIVILEGE, answer.withId(inner.id ?? ''))
  }

  #privilegesOf (from: Jid | undefined): Privileges | undefined {
    const { components } = this.#parts
    return from && Object.hasOwn(components, from.domain) ? components[from.domain]?.privileges : undefined
  }
}

/** §4.2, §5.2, §6.2 and §7.2: what a component is told of its privileges; undefined where it has none. */
export function privilegesElement ({ roster, rosterPush, message, presence, iq }: Privileges): Element | undefined {
  const perm = (access: string, attrs: Record<string, string>, children: readonly Element[] = []): Element =>
    el('perm', NS_PRIVILEGE, { access, ...attrs }, children)
  const namespaces = Object.entries(iq).filter(([, type]) => type !== 'none')
    .map(([ns, type]) => el('namespace', NS_PRIVILEGE, { ns, type }))
  const push = String(rosterPush && allows(roster, 'get'))
  const all = [
    ...roster === 'none' ? [] : [perm('roster', { type: roster, push })],
    ...message === 'none' ? [] : [perm('message', { type: message })],
    ...namespaces.length === 0 ? [] : [perm('iq', {}, namespaces)],
    ...presence === 'none' ? [] : [perm('presence', { type: presence })],
  ]
  return all.length === 0 ? undefined : el('privilege', NS_PRIVILEGE, {}, all)
}

/** A wrapper around a forwarded stanza (XEP-0297). */
export function forwardedIn (name: string, ns: string, stanza: Iq): Written {
  return Written.around(el(name, ns), `<forwarded xmlns='${NS_FORWARD}'>${stanza.toXml(NS_CLIENT)}</forwarded>`)
}

/** The stanza that is a part of another; undefined where it is none by the rules. */
export function stanzaIn (element: Element | undefined): Stanza | undefined {
  if (!element) return
  try {
    return storedStanza(element.toString())
  } catch (error) {
    if (error instanceof StanzaError || error instanceof JidError) return
    throw error
  }
}

function granted (iq: Privileges['iq'], ns: string): Privileges['iq'][string] | undefined {
  return Object.hasOwn(iq, ns) ? iq[ns] : undefined
}

function forbidden (text: string): StanzaError {
  return new StanzaError('forbidden', text)
}
