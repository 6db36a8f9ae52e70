/** Who may subscribe to a node, retrieve its items and publish (XEP-0060 §4.1, §4.5). */
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { pubsubError, unsupported } from './errors.ts'
import { affiliationOf, isSubscribed, ownersOf } from './node.ts'
import type { PubsubNode } from './node.ts'

/** What an account's roster says of somebody else. */
export interface Contact {
  /** Whether the contact sees the account's presence: subscription `from` or `both`. */
  readonly isSubscriber: boolean
  readonly groups: readonly string[]
}

export interface Contacts {
  /** What the rosters of these accounts say of somebody; nothing where they are no accounts of this server. */
  find (owners: readonly string[], contact: Jid): Promise<readonly Contact[]>
}

/** The error for who may not retrieve items (§6.5.9); undefined for who may. */
export async function refusalToRead (
  node: PubsubNode, who: Jid, contacts: Contacts,
): Promise<StanzaError | undefined> {
  const { access_model: model } = node.config
  const refusal = refusalByAffiliation(node, who)
  if (refusal !== 'none') return refusal
  if (model === 'open') return
  if (model === 'presence' || model === 'roster') return refusalByRoster(node, who, contacts)
  if (isSubscribed(node, who)) return
  return pubsubError(model === 'authorize' ? 'not-subscribed' : 'closed-node')
}

/** The error for who may not subscribe (§6.1.3); a request may have to be approved yet (§6.1.4). */
export async function refusalToSubscribe (
  node: PubsubNode, who: Jid, contacts: Contacts,
): Promise<StanzaError | 'approval' | undefined> {
  const { access_model: model, subscribe } = node.config
  const refusal = refusalByAffiliation(node, who)
  if (refusal instanceof StanzaError) return refusal
  if (!subscribe) return unsupported('subscribe')
  if (refusal === undefined || model === 'open') return
  if (model === 'presence' || model === 'roster') return refusalByRoster(node, who, contacts)
  return model === 'authorize' ? 'approval' : pubsubError('closed-node')
}

/** 'none' where the affiliation says neither that somebody may read nor that not. */
function refusalByAffiliation (node: PubsubNode, who: Jid): StanzaError | 'none' | undefined {
  switch (affiliationOf(node, who)) {
    case 'owner':
    case 'publisher':
    case 'member': return
    case 'publish-only':
    case 'outcast': return new StanzaError('forbidden')
    case 'none': return 'none'
  }
}

async function refusalByRoster (
  node: PubsubNode, who: Jid, contacts: Contacts,
): Promise<StanzaError | undefined> {
  const known = await contacts.find(ownersOf(node), who.bare)
  const isKnown = known.some(contact => isAllowed(node, contact))
  if (isKnown) return
  return pubsubError(node.config.access_model === 'presence' ? 'presence-subscription-required' : 'not-in-roster-group')
}

/** Whether a contact is one of those for whom the access model is meant. */
export function isAllowed ({ config }: PubsubNode, { isSubscriber, groups }: Contact): boolean {
  switch (config.access_model) {
    case 'open':
    case 'presence': return isSubscriber
    case 'roster': return isSubscriber && groups.some(group => config.roster_groups_allowed.includes(group))
    case 'authorize':
    case 'whitelist': return false
  }
}

/** §7.1.3.1. */
export function mayPublish (node: PubsubNode, who: Jid): boolean {
  const affiliation = affiliationOf(node, who)
  if (affiliation === 'owner' || affiliation === 'publisher' || affiliation === 'publish-only') return true
  if (affiliation === 'outcast') return false
  const { publish_model: model } = node.config
  return model === 'open' || (model === 'subscribers' && isSubscribed(node, who))
}

/** Throws forbidden where somebody does not own the node. */
export function checkOwner (node: PubsubNode, who: Jid): void {
  if (affiliationOf(node, who) !== 'owner') throw new StanzaError('forbidden')
}
