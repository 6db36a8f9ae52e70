/** What tests of rooms begin with, and what a client hears in a room in a few words each. */
import { expect } from 'vitest'
import { NS_MUC, NS_MUC_OWNER, NS_MUC_USER, ROOM_CONFIG } from '../../../src/muc/ns.ts'
import { parseElement } from '../../../src/xml/element.ts'
import type { Element } from '../../../src/xml/element.ts'
import { parseFrame } from '../../../src/xml/framer.ts'
import { escapeAttribute, escapeText } from '../../../src/xml/write.ts'
import { NS_FORMS } from '../../../src/xmpp/forms.ts'
import { NS_CLIENT, NS_STANZA_ERRORS } from '../../../src/xmpp/ns.ts'
import type { Client, World } from './world.ts'

export const COVEN = 'coven@conference.localhost'

const LIMITS = { stanzaBytes: 1_000_000, depth: 64, attributes: 64, nameBytes: 256, elements: 100_000 }
const NS_DELAY = 'urn:xmpp:delay'

/** Asks to be let in; `inside` is what stands in `<x/>`. */
export async function enters (client: Client, nick: string, inside = '', room = COVEN): Promise<void> {
  await client.sends(`<presence to='${room}/${nick}'><x xmlns='${NS_MUC}'>${inside}</x></presence>`)
}

export async function leaves (client: Client, nick: string, room = COVEN): Promise<void> {
  await client.sends(`<presence type='unavailable' to='${room}/${nick}'/>`)
}

/** A form that is filled in: `{ membersonly: '1' }` for `muc#roomconfig_membersonly`. */
export function filled (values: Readonly<Record<string, string | readonly string[]>>): string {
  const fields = Object.entries(values).map(([name, value]) => {
    const variable = name.includes('#') || name.includes('_') ? name : `muc#roomconfig_${name}`
    return `<field var='${variable}'>${[value].flat().map(one => `<value>${escapeText(one)}</value>`).join('')}</field>`
  })
  return `<x xmlns='${NS_FORMS}' type='submit'><field var='FORM_TYPE'><value>${ROOM_CONFIG}</value></field>${fields.join('')}</x>`
}

/** Sets up a room. */
export async function configures (
  client: Client, values: Readonly<Record<string, string | readonly string[]>>, room = COVEN,
): Promise<void> {
  await client.asks('set', `<query xmlns='${NS_MUC_OWNER}'>${filled(values)}</query>`, room)
}

/** A client in a room of its own that is set up like that, with nothing left to read. */
export async function owner (
  server: World, jid = 'crone1@localhost/desktop', nick = 'firstwitch',
  values: Readonly<Record<string, string | readonly string[]>> = {}, room = COVEN,
): Promise<Client> {
  const client = await server.client(jid)
  await enters(client, nick, '', room)
  await configures(client, values, room)
  await client.received()
  return client
}

/** A client that is in, with nothing left to read; the others have something. */
export async function inside (server: World, jid: string, nick: string, room = COVEN): Promise<Client> {
  const client = await server.client(jid)
  await enters(client, nick, '', room)
  const heard = await hears(client)
  expect(heard.at(-1)).toMatch(/^subject/)
  return client
}

/** Comes in and goes, with nothing left to read: a member who has accepted it. */
export async function comesOnce (client: Client, nick: string, room = COVEN): Promise<void> {
  await enters(client, nick, '', room)
  await leaves(client, nick, room)
  await expect.poll(async () => (await hears(client)).some(line => line.startsWith(`gone ${nick} `)), {
    timeout: 10_000,
  }).toBe(true)
}

/** Sends a message to all. */
export async function says (client: Client, body: string, room = COVEN): Promise<void> {
  await client.sends(`<message to='${room}' type='groupchat'><body>${escapeText(body)}</body></message>`)
}

/** What came since the last look, in brief. */
export async function hears (client: Pick<Client, 'received'>): Promise<readonly string[]> {
  return (await client.received()).map(xml => inBrief(parseStanza(xml)))
}

/** A stanza as a tree. */
export function parseStanza (xml: string): Element {
  return parseElement(parseFrame(Buffer.from(xml.replace(/^<([a-z]+)/, `<$1 xmlns='${NS_CLIENT}'`)), LIMITS))
}

/** Asks for changes of muc#admin: `{ nick: 'thirdwitch', role: 'none' }`. */
export async function changes (
  client: Client, items: readonly (Readonly<Record<string, string>>)[], room = COVEN,
): Promise<void> {
  const xml = items.map(({ reason, ...attributes }) => {
    const written = Object.entries(attributes).map(([name, value]) => ` ${name}='${escapeAttribute(value)}'`).join('')
    return `<item${written}>${reason === undefined ? '' : `<reason>${escapeText(reason)}</reason>`}</item>`
  })
  await client.asks('set', `<query xmlns='${NS_MUC}#admin'>${xml.join('')}</query>`, room)
}

/**
 * Such as `thirdwitch none/participant 110`, `gone thirdwitch …`, `thirdwitch: hello`, `subject "…" by …`, `error
 * conflict`.
 */
function inBrief (stanza: Element): string {
  const { from = '', type } = stanza.attrs
  const nick = from.split('/').slice(1).join('/') || from
  if (type === 'error') {
    return `error ${stanza.getChild('error')?.getChildElements().find(child => child.getNS() === NS_STANZA_ERRORS)?.getName()}`
  }
  if (stanza.name === 'presence') return `${type === 'unavailable' ? 'gone ' : ''}${nick} ${userInBrief(stanza)}`.trim()
  return stanza.name === 'message' ? messageInBrief(stanza, nick) : stanza.toString()
}

function messageInBrief (message: Element, nick: string): string {
  const body = message.getChildText('body')
  const when = message.getChild('delay', NS_DELAY) ? ' (before)' : ''
  if (body !== null) return `${message.attrs['type'] === 'groupchat' ? '' : 'privately '}${nick}: ${body}${when}`
  const subject = message.getChildText('subject')
  if (subject !== null) return `subject "${subject}" by ${nick}${when}`
  return `${nick} ${userInBrief(message)}`
}

function userInBrief (stanza: Element): string {
  const xs = stanza.getChildren('x', NS_MUC_USER)
  expect(xs.length).toBeLessThan(2) // XEP-0045 §7.2.2
  const [x] = xs
  if (!x) return ''
  const item = x.getChild('item')
  const destroy = x.getChild('destroy')
  return [
    ...item ? standingInBrief(item) : [],
    ...x.getChildren('status').map(status => status.attrs['code']),
    ...item ? causeInBrief(item) : [],
    destroy && `destroyed ${destroy.attrs['jid'] ?? ''} ${destroy.getChildText('reason') ?? ''}`.trim(),
  ].filter(word => word).join(' ')
}

function standingInBrief ({ attrs: { affiliation, role, jid, nick } }: Element): readonly (string | undefined)[] {
  return [`${affiliation}/${role ?? '-'}`, jid, nick && `as ${nick}`]
}

function causeInBrief (item: Element): readonly (string | undefined)[] {
  const actor = item.getChild('actor')
  const reason = item.getChildText('reason')
  return [actor && `by ${actor.attrs['nick']}`, reason ? `(${reason})` : undefined]
}
