/** What a person does in rooms (XEP-0045). */
import type { XmlElement } from '../../conformance/runner/xml.ts'
import type { Person } from './person.ts'

const MUC = 'http://jabber.org/protocol/muc'
const OWN_PRESENCE = /<status code='110'\/>/

/** Fields of the room's configuration. */
export type Options = Readonly<Record<string, string>>

/** Makes a room with these options besides those that the server gives, and is in it. */
export async function makeRoom (owner: Person, room: string, options: Options = {}): Promise<void> {
  await enter(owner, room)
  const fields = Object.entries(options).map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`)
  const form = `<field var='FORM_TYPE'><value>${MUC}#roomconfig</value></field>${fields.join('')}`
  const answer = await owner.ask(room,
    `<query xmlns='${MUC}#owner'><x xmlns='jabber:x:data' type='submit'>${form}</x></query>`, 'set')
  if (!answer.includes("type='result'")) throw new Error(`${room} was not configured: ${answer}`)
}

/** Enters a room, up to the own presence. */
export async function enter (person: Person, room: string): Promise<XmlElement> {
  person.send(`<presence to='${room}/${nickOf(person)}'><x xmlns='${MUC}'/></presence>`)
  return await person.expectSeen('presence', { from: `${room}/${nickOf(person)}` }, OWN_PRESENCE)
}

/** Asks to enter a room and is not let in: the answer. */
export async function enterInVain (person: Person, room: string): Promise<XmlElement> {
  person.send(`<presence to='${room}/${nickOf(person)}'><x xmlns='${MUC}'/></presence>`)
  return await person.expectSeen('presence', { from: `${room}/${nickOf(person)}`, type: 'error' })
}

export async function leave (person: Person, room: string): Promise<void> {
  person.send(`<presence to='${room}/${nickOf(person)}' type='unavailable'/>`)
  await person.expectSeen('presence', { from: `${room}/${nickOf(person)}`, type: 'unavailable' })
}

/** Says something to all, with an id that is its body. */
export function sayTo (person: Person, room: string, body: string): void {
  person.send(`<message type='groupchat' to='${room}' id='${body}'><body>${body}</body></message>`)
}

export async function setAffiliation (owner: Person, room: string, jid: string, affiliation: string): Promise<string> {
  return await owner.ask(room,
    `<query xmlns='${MUC}#admin'><item jid='${jid}' affiliation='${affiliation}'/></query>`, 'set')
}

export async function affiliates (owner: Person, room: string, affiliation: string): Promise<string> {
  return await owner.ask(room, `<query xmlns='${MUC}#admin'><item affiliation='${affiliation}'/></query>`)
}

/** The local part of its address. */
export function nickOf (person: Person): string {
  return person.jid.split('@')[0] ?? ''
}
