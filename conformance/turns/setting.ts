/** What a worst case is made of: accounts and clients of its own, rooms, and stanzas as large as they may be. */
import { Client, PASSWORD } from './client.ts'
import type { Address } from './client.ts'

/** `stanza-bytes` as it comes. */
const STANZA_BYTES = 262_144
/** What a stanza may have in elements, less what the other parts of one need. */
const STANZA_ELEMENTS = 16_384 - 200
/** Who log in at the same time while a case is prepared. */
const AT_ONCE = 8
/** Requests of one session that are dealt with at the same time. */
const REQUESTS = 16
/** So that ids and addresses have a place beside what fills a stanza. */
const MARGIN = 2_000

/** What is measured, any number of times. */
export type Attack = (round: number) => Promise<void>

export interface Case {
  readonly name: string
  /** Everything up to what is measured. */
  readonly prepare: (setting: Setting) => Promise<Attack>
}

export class Setting {
  readonly #address: Address
  readonly #prefix: string
  readonly #scale: number
  readonly #accounts = new Set<string>()
  readonly #clients: Client[] = []

  /** `prefix`: of all names, so that cases have nothing in common; `scale`: what part of the clients there are. */
  constructor (address: Address, prefix: string, scale: number) {
    this.#address = address
    this.#scale = scale
    this.#prefix = prefix
  }

  /** A client that has logged in; its account is made where there is none. */
  async client (name: string, resource = 'main'): Promise<Client> {
    const local = `${this.#prefix}${name}`
    const client = await Client.open(this.#address)
    this.#clients.push(client)
    if (!this.#accounts.has(local)) await client.register(local)
    this.#accounts.add(local)
    await client.authenticate(local)
    await client.bind(resource)
    return client
  }

  /** So many, or of them the part that this run has. */
  count (most: number): number {
    return Math.ceil(most * this.#scale)
  }

  /** So many of one account. */
  async devices (name: string, most: number): Promise<readonly Client[]> {
    const clients = [await this.client(name, 'd0')]
    while (clients.length < this.count(most)) {
      const next = Array.from(
        { length: Math.min(AT_ONCE, this.count(most) - clients.length) },
        (_, more) => `d${clients.length + more}`,
      )
      clients.push(...await Promise.all(next.map(resource => this.client(name, resource))))
    }
    return clients
  }

  /** So many accounts with a client each. */
  async crowd (name: string, most: number): Promise<readonly Client[]> {
    const clients: Client[] = []
    while (clients.length < this.count(most)) {
      const next = Array.from(
        { length: Math.min(AT_ONCE, this.count(most) - clients.length) },
        (_, more) => `${name}${clients.length + more}`,
      )
      clients.push(...await Promise.all(next.map(one => this.client(one))))
    }
    return clients
  }

  /** A stream that has not logged in. */
  async stranger (): Promise<Client> {
    const client = await Client.open(this.#address)
    this.#clients.push(client)
    return client
  }

  jid (name: string): string {
    return `${this.#prefix}${name}@localhost`
  }

  /** The name of an account as it is registered. */
  local (name: string): string {
    return `${this.#prefix}${name}`
  }

  /** Opens a room with this configuration, which its owner has entered. */
  async room (owner: Client, name: string, fields: Readonly<Record<string, string>> = {}): Promise<string> {
    const room = `${this.#prefix}${name}@conference.localhost`
    await enter(owner, room, 'owner')
    await configure(owner, room, fields)
    return room
  }

  async end (): Promise<void> {
    await Promise.all(this.#clients.map(client => client.cut()))
  }
}

export { PASSWORD }

/** Resolves when the room has told its subject, which comes last. */
export async function enter (client: Client, room: string, nick: string, more = ''): Promise<void> {
  const entered = client.until(/<subject|<presence(?=[^>]* type=['"]error['"])[^>]*>.{0,300}/)
  client.send(`<presence to='${room}/${nick}'><x xmlns='http://jabber.org/protocol/muc'>${more}</x></presence>`)
  const [heard] = await entered
  if (heard !== '<subject') throw new Error(`${nick} may not enter ${room}: ${heard}`)
}

export async function configure (owner: Client, room: string, fields: Readonly<Record<string, string>>): Promise<void> {
  await owner.must('set', `<query xmlns='http://jabber.org/protocol/muc#owner'>${form('http://jabber.org/protocol/muc#roomconfig', fields)}</query>`, room)
}

/** A form that is submitted (XEP-0004, XEP-0068). */
export function form (type: string, fields: Readonly<Record<string, string | readonly string[]>>): string {
  const all = Object.entries({ FORM_TYPE: type, ...fields }).map(([name, values]) =>
    `<field var='${name}'>${[values].flat().map(value => `<value>${value}</value>`).join('')}</field>`)
  return `<x xmlns='jabber:x:data' type='submit'>${all.join('')}</x>`
}

/** As many of these as a stanza holds, or as many as there may be. */
export function many (piece: (number: number) => string, bytes = STANZA_BYTES - MARGIN, most = Infinity): string {
  const pieces: string[] = []
  let [length, elements] = [0, 0]
  for (let number = 0; number < most; number++) {
    const next = piece(number)
    length += Buffer.byteLength(next)
    elements += next.match(/<[^/]/g)?.length ?? 0
    if (length > bytes || elements > STANZA_ELEMENTS) break
    pieces.push(next)
  }
  return pieces.join('')
}

/** Sends a set with half as much in it until it is taken: as much as the server keeps. */
export async function keep (client: Client, payload: (bytes: number) => string, to?: string): Promise<void> {
  for (let bytes = STANZA_BYTES - MARGIN; bytes > 100; bytes /= 2) {
    if (await client.ask('set', payload(bytes), to) === 'result') return
  }
  throw new Error(`nothing is kept of ${payload(100)}`)
}

/** Both see each other's presence from now on. */
export async function befriend (one: Client, oneJid: string, other: Client, otherJid: string): Promise<void> {
  for (const [client, jid] of [[one, otherJid], [other, oneJid]] as const)
    client.send(`<presence type='subscribe' to='${jid}'/>`)
  await Promise.all([one.ping(), other.ping()])
  for (const [client, jid] of [[one, otherJid], [other, oneJid]] as const)
    client.send(`<presence type='subscribed' to='${jid}'/>`)
  await Promise.all([one.ping(), other.ping()])
}

/** Sends it again and again, so many at a time. */
export async function all (count: number, send: (number: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < count; from += REQUESTS) {
    await Promise.all(Array.from({ length: Math.min(REQUESTS, count - from) }, (_, more) => send(from + more)))
  }
}

/** A command (XEP-0050) of an account or a room, with its form filled in. */
export function command (node: string, fields: string): string {
  return `<command xmlns='http://jabber.org/protocol/commands' node='${node}' action='execute'>${fields}</command>`
}

/** Text that fills a stanza. */
export function text (bytes = STANZA_BYTES - MARGIN): string {
  return 'x'.repeat(bytes)
}
