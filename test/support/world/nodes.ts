/** What tests of nodes (XEP-0060) say and hear. */
import type { Element } from '../../../src/xml/element.ts'
import { parseStored } from '../../../src/xml/stored.ts'
import { answer, software } from './software.ts'
import { world } from './world.ts'
import type { Client } from './world.ts'

const NS = 'http://jabber.org/protocol/pubsub'
const EVENT = `${NS}#event`

/** The service of the host that tests have. */
export const SERVICE = 'pubsub.localhost'

/** Three who are online, in a world without extensions. */
export async function hamletAndFriends (): Promise<{ hamlet: Client, horatio: Client, ophelia: Client }> {
  const { client } = await world()
  const [hamlet, horatio, ophelia] = [
    await client('hamlet@localhost/elsinore'), await client('horatio@localhost/court'),
    await client('ophelia@localhost/court'),
  ]
  for (const one of [hamlet, horatio, ophelia]) await one.comesOnline()
  return { hamlet, horatio, ophelia }
}

export function request (payload: string): string {
  return `<pubsub xmlns='${NS}'>${payload}</pubsub>`
}

export function ownerRequest (payload: string): string {
  return `<pubsub xmlns='${NS}#owner'>${payload}</pubsub>`
}

/** A form that is filled in; of several values of a field. */
export function filled (what: string, values: Readonly<Record<string, string | readonly string[]>>): string {
  const fields = Object.entries(values).map(([name, value]) =>
    `<field var='pubsub#${name}'>${[value].flat().map(text => `<value>${text}</value>`).join('')}</field>`)
  return `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>${NS}#${what}</value>` +
    `</field>${fields.join('')}</x>`
}

type Options = Readonly<Record<string, string | readonly string[]>>

export function publication (node: string, id: string, text: string, options?: Options): string {
  return request(`<publish node='${node}'><item id='${id}'>${thing(text)}</item></publish>` +
    (options ? `<publish-options>${filled('publish-options', options)}</publish-options>` : ''))
}

/** A payload. */
export function thing (text: string): string {
  return `<thing xmlns='urn:example:thing'>${text}</thing>`
}

export async function publishes (
  client: Client, node: string, id: string, text: string, to?: string, options?: Options,
): Promise<void> {
  await client.asks('set', publication(node, id, text, options), to)
}

/** Creates a node at the service, or elsewhere. */
export async function creates (client: Client, node: string, options: Options = {}, to = SERVICE): Promise<void> {
  await client.asks('set', request(`<create node='${node}'/><configure>${filled('node_config', options)}</configure>`), to)
}

export async function configures (client: Client, node: string, options: Options, to?: string): Promise<void> {
  await client.asks('set', ownerRequest(`<configure node='${node}'>${filled('node_config', options)}</configure>`), to)
}

/** Subscribes its bare address; gives the state. */
export async function subscribes (client: Client, node: string, to = SERVICE): Promise<string | undefined> {
  const { jid } = client.session.account
  const answer = await client.asks('set', request(`<subscribe node='${node}' jid='${jid}'/>`), to)
  return answer?.getChild('subscription')?.attrs['subscription']
}

export async function affiliates (
  client: Client, node: string, jid: string, affiliation: string, to = SERVICE,
): Promise<void> {
  await client.asks('set', ownerRequest(
    `<affiliations node='${node}'><affiliation jid='${jid}' affiliation='${affiliation}'/></affiliations>`), to)
}

/** The items of a node, as `id: text`. */
export async function items (client: Client, node: string, to?: string, more = ''): Promise<readonly string[]> {
  const answer = await client.asks('get', request(`<items node='${node}'/>${more}`), to)
  return (answer?.getChild('items')?.getChildren('item') ?? []).map(brief)
}

function brief (item: Element): string {
  const [payload] = item.getChildElements()
  return payload ? `${item.attrs['id']}: ${payload.text()}` : item.attrs['id'] ?? ''
}

/** The events that it has heard since the last look, in a few words each. */
export async function events (client: Client): Promise<readonly string[]> {
  return (await client.received()).flatMap(xml => eventIn(xml) ?? [])
}

/** The event in a message, in a few words. */
export function eventIn (xml: string): string | undefined {
  if (!xml.startsWith('<message')) return
  const message = parseStored(xml.replace('<message', "<message xmlns='jabber:client'"))
  const [what] = message.getChild('event', EVENT)?.getChildElements() ?? []
  if (!what) return
  const { node, subscription } = what.attrs
  const late = message.getChild('delay', 'urn:xmpp:delay') ? ' (late)' : ''
  if (what.getName() !== 'items') return `${node} ${what.getName()}${subscription ? ` ${subscription}` : ''}`
  const all = what.getChildElements().map(one =>
    one.getName() === 'retract' ? `-${one.attrs['id']}` : brief(one))
  return `${node} ${all.join(', ')}${late}`
}

/** Becomes available with software that wants events of these nodes, and has read what that brings but events. */
export async function wants (client: Client, ...nodes: readonly string[]): Promise<readonly string[]> {
  const { c, query } = software(...nodes)
  await client.sends(`<presence>${c}</presence>`)
  const heard = await client.received()
  const [request] = heard.filter(xml => xml.startsWith('<iq') && xml.includes('disco#info'))
  if (request !== undefined) await client.sends(answer(request, query))
  return [...heard.flatMap(xml => eventIn(xml) ?? []), ...await events(client)]
}
