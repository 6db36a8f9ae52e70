/** What a client says before it is useful: RFC 6120's streams, SASL and binding, RFC 6121's roster and presence. */
import { Client } from './client.ts'
import type { Target } from './client.ts'
import { scramSha1 } from './scram.ts'
import type { Account } from './scram.ts'

/** The accounts that every server is given. */
export function account (number: number): Account {
  return { name: `u${number}`, password: `secret-${number}` }
}

/** Makes an account (XEP-0077); one that is there already is left as it is. */
export async function register (target: Target, { name, password }: Account): Promise<void> {
  const client = new Client({ ...target, tls: false })
  await client.ask(header(target.domain), hasFeatures)
  const fields = `<username>${name}</username><password>${password}</password>`
  const iq = `<iq type='set' id='reg'><query xmlns='jabber:iq:register'>${fields}</query></iq>`
  await client.ask(iq, text => /id=['"]reg['"]/.test(text)).catch((error: Error) => {
    if (!error.message.includes('conflict')) throw error
  })
  await client.close()
}

/** Logs in by SCRAM-SHA-1 and resolves when the roster and the echo of the initial presence are there. */
export async function logIn (target: Target, who: Account): Promise<Client> {
  const client = new Client(target)
  await client.ask(header(target.domain), hasFeatures)
  if (target.tls) await startTls(client, target.domain)
  await authenticate(client, who)
  await client.ask(header(target.domain), hasFeatures)
  await client.ask(
    "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>bench</resource></bind></iq>",
    text => text.includes('</iq>'),
  )
  await client.ask("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq><presence/>", isInitial)
  return client
}

/** XEP-0198 §3. */
export async function enableAcks (client: Client): Promise<void> {
  await client.ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", text => /<enabled [^>]*>/.test(text))
}

/**
 * Above so many occupants nobody is told of the others: with all their presences alone a room would be busy for
 * minutes.
 */
const MAX_SEEN = 1000

/** Makes a room (XEP-0045 §10.1.3), and enters it. */
export async function openRoom (
  client: Client,
  room: string,
  nick: string,
  { accounts, archives }: { readonly accounts: number, readonly archives: boolean },
): Promise<void> {
  await enterRoom(client, room, nick)
  const fields = [
    ['FORM_TYPE', 'http://jabber.org/protocol/muc#roomconfig'],
    ...accounts > MAX_SEEN ? [['muc#roomconfig_presencebroadcast', 'moderator']] : [],
    ...archives ? [['muc#roomconfig_persistentroom', '1']] : [], // or its archive goes with it
  ].map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`).join('')
  const query =
    `<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>${fields}</x></query>`
  await client.ask(`<iq type='set' id='open' to='${room}'>${query}</iq>`, text => /id=['"]open['"]/.test(text))
}

/** XEP-0045 §7.2: resolves with the subject, which comes last. */
export async function enterRoom (client: Client, room: string, nick: string): Promise<void> {
  const x = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>"
  await client.ask(`<presence to='${room}/${nick}'>${x}</presence>`, text => text.includes('<subject'))
}

function header (domain: string): string {
  const namespaces = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
  return `<?xml version='1.0'?><stream:stream to='${domain}' version='1.0' ${namespaces}>`
}

async function startTls (client: Client, domain: string): Promise<void> {
  await client.ask("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", text => text.includes('<proceed'))
  await client.secure(domain)
  await client.ask(header(domain), hasFeatures)
}

async function authenticate (client: Client, who: Account): Promise<void> {
  const ns = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
  let opening = `<auth ${ns} mechanism='SCRAM-SHA-1'>`
  let closing = '</auth>'
  await scramSha1(who, async message => {
    const element = opening + Buffer.from(message).toString('base64') + closing
    opening = `<response ${ns}>`
    closing = '</response>'
    const answer = await client.ask(element, text => /<\/(challenge|success)>/.test(text))
    return Buffer.from(/>([^<>]+)<\/(?:challenge|success)>/.exec(answer)?.[1] ?? '', 'base64').toString()
  })
}

function hasFeatures (text: string): boolean {
  return text.includes('</stream:features>')
}

/** RFC 6121 §4.2.2: the new resource gets its own initial presence, too. */
function isInitial (text: string): boolean {
  return text.includes('<presence') && /id=['"]roster['"]/.test(text)
}
