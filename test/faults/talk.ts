/** People who talk through a server that fails: they come back, send again what was not acknowledged, and count. */
import { createHash } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { Client } from '../../conformance/runner/client.ts'
import type { XmlElement } from '../../conformance/runner/xml.ts'
import { ANSWER_MS, Line, PASSWORD } from './line.ts'
import type { Account, Opened } from './line.ts'

const NS_STANZA_ID = 'urn:xmpp:sid:0'
const WINDOW = 20
const ASK_EVERY = 5
const PATIENCE_MS = 100

/** In place of a message's id: the presence that takes its sender into a room. */
const ENTRY = ''

/** What takes somebody into a room under that nick (XEP-0045 §7.2), and does not ask for what was said before. */
export function entry (room: string, nick: string): string {
  return `<presence to='${room}/${nick}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>`
}

export interface Manner {
  /** Every message is about so many bytes larger than it need be. */
  readonly paddingBytes?: number | undefined
  /** How long it rests whenever something was acknowledged. */
  readonly pauseMs?: number | undefined
  /** How long it rests after each message that it sends first. */
  readonly paceMs?: number | undefined
  /** Whether they are for a room. */
  readonly isInRoom?: boolean | undefined
}

/** Sends numbered messages to one peer or to a room, each until it is acknowledged. */
export class Sender {
  readonly account: Account
  readonly line: Line
  readonly #to: string
  readonly #paddingBytes: number
  readonly #isInRoom: boolean
  readonly #pauseMs: number
  readonly #paceMs: number
  readonly acknowledged = new Set<string>()
  /** The place of each message among all that were sent; another one each time that it is sent after it came back. */
  readonly places = new Map<string, number[]>()
  sent = 0
  /** How many messages came back with an error that says: wait. */
  refused = 0
  /** What a server must not say here. */
  readonly wrong: string[] = []
  /** Not acknowledged, in the order in which they were sent first. */
  readonly #open = new Set<string>()
  /** All that was sent in this session of stream management, and how much of it is acknowledged. */
  #inSession: string[] = []
  #handled = 0
  readonly #cameBack = new Set<string>()
  #lastPlace = 0
  /** Came back, and was not sent again yet. */
  readonly #toSendAgain = new Set<string>()
  #isOver = false

  constructor (account: Account, to: string, { paddingBytes = 0, pauseMs = 0, paceMs = 0, isInRoom = false }: Manner) {
    this.#isInRoom = isInRoom
    this.account = account
    this.line = new Line(account, 'sender')
    this.#to = to
    this.#paddingBytes = paddingBytes
    this.#pauseMs = pauseMs
    this.#paceMs = paceMs
  }

  /** The id of its message with that number, and the body. */
  name (number: number): string {
    return `${this.account.jid.split('@')[0]}-${number}`
  }

  /** No new messages from now on. */
  finish (): void {
    this.#isOver = true
  }

  /** Resolves when it is over and everything that was sent is acknowledged, or when its line is hung up. */
  async run (): Promise<void> {
    while (!this.#isDone) {
      const opened = await this.line.open()
      if (!opened) return
      this.#goOn(opened)
      try {
        await this.#talk()
        await this.line.close()
      } catch { // the stream broke: what the server does not have is sent again on the next
        this.line.drop()
      }
    }
  }

  get #isDone (): boolean {
    return this.#isOver && this.#open.size === 0
  }

  /** Sends again, under the same ids, what the server does not have of this session: everything where it is new. */
  #goOn ({ isNew, taken }: Opened): void {
    if (isNew) {
      this.#handled = 0
      this.#cameBack.clear()
    }
    if (taken < this.#handled) this.wrong.push(`${taken} stanzas in <resumed/> after ${this.#handled} in <a/>`)
    this.#inSession.length = taken
    if (this.#isInRoom && taken === 0) {
      this.#inSession.push(ENTRY)
      this.line.send(entry(this.#to, this.name(0)))
    }
    for (const id of this.#open) if (!this.#inSession.includes(id, this.#handled)) this.#send(id)
    this.line.ask()
  }

  async #talk (): Promise<void> {
    while (!this.#isDone) {
      await this.#fillWindow()
      const element = await this.line.receive()
      if (element.name === 'message' && element.attributes.get('type') === 'error') this.#takeBack(element)
      if (element.name !== 'a') continue
      const again = this.#settle(Number(element.attributes.get('h')))
      const pauseMs = again.length > 0 ? PATIENCE_MS : this.#pauseMs
      if (pauseMs > 0) await setTimeout(pauseMs)
      for (const id of again) this.#send(id)
      if (this.#open.size > 0) this.line.ask()
    }
  }

  /** Sends new messages until there are as many open as may be. */
  async #fillWindow (): Promise<void> {
    while (!this.#isOver && this.#open.size < WINDOW) {
      const id = this.name(++this.sent)
      this.#open.add(id)
      this.#send(id)
      if (this.sent % ASK_EVERY === 0) this.line.ask()
      if (this.#paceMs > 0) await setTimeout(this.#paceMs)
    }
  }

  #takeBack (message: XmlElement): void {
    const id = message.attributes.get('id') ?? ''
    this.#cameBack.add(id)
    this.#toSendAgain.add(id)
    const error = child(message, 'error')
    if (error?.attributes.get('type') === 'wait') return
    this.wrong.push(error?.children[0]?.name ?? 'an error without a reason')
  }

  /** Takes `h` (§4): what it covers is acknowledged, but for what came back before. Tells what to send again. */
  #settle (h: number): readonly string[] {
    const covered = this.#inSession.slice(this.#handled, h)
    this.#handled = h
    const again = covered.filter(id => this.#cameBack.delete(id))
    this.refused += again.length
    for (const id of covered) {
      if (again.includes(id) || id === ENTRY) continue
      this.acknowledged.add(id)
      this.#open.delete(id)
    }
    return again
  }

  #send (id: string): void {
    const places = this.places.get(id) ?? []
    if (places.length === 0 || this.#toSendAgain.delete(id)) places.push(++this.#lastPlace)
    this.places.set(id, places)
    this.#inSession.push(id)
    this.line.send(
      `<message to='${this.#to}' type='${this.#isInRoom ? 'groupchat' : 'chat'}' id='${id}'><body>${id}</body>` +
      `<origin-id xmlns='${NS_STANZA_ID}' id='${id}'/>${padding(id, this.#paddingBytes)}</message>`)
  }
}

/** One message as its recipient got it. */
export interface Receipt {
  /** Its id in the recipient's archive (XEP-0359). */
  readonly archiveId: string
  /** In which of the recipient's sessions. */
  readonly session: number
}

/** Takes what comes, acknowledges it, and comes back when the stream breaks. */
export class Receiver {
  readonly account: Account
  readonly line: Line
  /** Each time that each body came. */
  readonly received = new Map<string, Receipt[]>()
  /** It has had presence of somebody, be it its own. */
  hasPresence = false
  readonly #greeting: string
  readonly #archive: string

  /** `greeting` is what a new session begins with; `archive` whose it is that numbers what comes. */
  constructor (account: Account, greeting = '<presence/>', archive = account.jid) {
    this.account = account
    this.line = new Line(account, 'receiver')
    this.#greeting = greeting
    this.#archive = archive
  }

  /** Resolves when its line is hung up. */
  async run (): Promise<void> {
    for (let opened = await this.line.open(); opened; opened = await this.line.open()) {
      try {
        // The only stanza that it ever sends; it may have been lost on a stream before.
        if (opened.taken === 0) this.line.send(this.#greeting)
        await this.#listen()
      } catch { // broken, or silent for a while
        this.line.drop()
      }
    }
  }

  async #listen (): Promise<void> {
    for (;;) {
      const element = await this.line.receive()
      if (element.name === 'presence') this.hasPresence = true
      const body = child(element, 'body')?.text
      if (body === undefined) continue
      const receipts = this.received.get(body) ?? []
      receipts.push({ archiveId: stanzaId(element, this.#archive) ?? 'none', session: this.line.sessions })
      this.received.set(body, receipts)
    }
  }
}

export interface Kept { readonly id: string, readonly body: string }

/** The whole archive of an account, or of a room that it may read (XEP-0313), the oldest first: ids and bodies. */
export async function readArchive (account: Account, room?: string): Promise<readonly Kept[]> {
  const client = await Client.connect({ port: account.port, tls: false, patienceMs: ANSWER_MS }, {
    jid: account.jid, password: PASSWORD, resource: 'reader',
  })
  const messages: Kept[] = []
  for (let isComplete = false; !isComplete;) {
    const page = await readPage(client, room, messages.at(-1)?.id)
    messages.push(...page.messages)
    isComplete = page.isComplete
  }
  await client.disconnect()
  return messages
}

/** A page of the archive, after the message with that id. */
async function readPage (
  client: Client, room: string | undefined, after: string | undefined,
): Promise<{ readonly messages: readonly Kept[], readonly isComplete: boolean }> {
  client.send(`<iq type='set' id='page'${room === undefined ? '' : ` to='${room}'`}><query xmlns='urn:xmpp:mam:2'>
    <set xmlns='http://jabber.org/protocol/rsm'><max>200</max>${after === undefined ? '' : `<after>${after}</after>`}</set>
    </query></iq>`)
  const messages: Kept[] = []
  for (;;) {
    const element = await client.receive()
    const result = child(element, 'result')
    const message = result && child(child(result, 'forwarded'), 'message')
    if (result && message) {
      messages.push({ id: result.attributes.get('id') ?? '', body: child(message, 'body')?.text ?? '' })
    }
    if (element.name !== 'iq') continue
    return { messages, isComplete: child(element, 'fin')?.attributes.get('complete') === 'true' }
  }
}

/** The same for the same id, as another content would make it another message; nothing that can be compressed. */
function padding (id: string, bytes: number): string {
  if (bytes === 0) return ''
  const content = createHash('shake256', { outputLength: Math.floor(bytes * 3 / 4) }).update(id).digest('base64')
  return `<padding xmlns='urn:example:padding'>${content}</padding>`
}

function stanzaId (message: XmlElement, by: string): string | undefined {
  const isOurs = ({ name, attributes }: XmlElement): boolean => name === 'stanza-id' && attributes.get('by') === by
  return message.children.find(isOurs)?.attributes.get('id')
}

function child (element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find(one => one.name === name)
}
