/** Somebody with an account at a server, whichever that is: registers, logs in, and waits for what should come. */
import { Client, type Endpoint } from '../../conformance/runner/client.ts'
import { register } from '../../conformance/runner/register.ts'
import { formatXml, type XmlElement } from '../../conformance/runner/xml.ts'
import { Inbox } from '../clients/inbox.ts'

const PASSWORD = 'secret'
const SM = 'urn:xmpp:sm:3'
/** Servers try again after seconds. */
const PATIENCE_MS = 30_000
const ROSTER = "<query xmlns='jabber:iq:roster'/>"

/** Attributes that a stanza has. */
export type Attributes = Readonly<Record<string, string>>

class Seen {
  readonly element: XmlElement
  readonly text: string

  constructor (element: XmlElement) {
    this.element = element
    this.text = formatXml(element)
  }

  toString (): string {
    return this.text
  }

  matches (name: string, attributes: Attributes, content: RegExp): boolean {
    return this.element.name === name && content.test(this.text)
      && Object.entries(attributes).every(([key, value]) => this.element.attributes.get(key) === value)
  }
}

export class Person {
  readonly jid: string
  readonly fullJid: string
  readonly #client: Client
  readonly #inbox = new Inbox<Seen>(PATIENCE_MS)
  readonly #all: Seen[] = []
  readonly #over = Promise.withResolvers<never>()
  #isOver = false
  #ids = 0

  private constructor (jid: string, client: Client) {
    this.jid = jid
    this.fullJid = client.fullJid
    this.#over.promise.catch(() => {}) // nobody waits
    this.#client = client
  }

  /** Makes the account, and comes online with it. */
  static async arrive (port: number, jid: string, resource = 'here'): Promise<Person> {
    await register({ port, tls: false, patienceMs: PATIENCE_MS }, { jid, password: PASSWORD })
    return Person.logIn(port, jid, resource)
  }

  /** Comes online with an account that is there. */
  static async logIn (port: number, jid: string, resource = 'here'): Promise<Person> {
    const endpoint: Endpoint = { port, tls: false, patienceMs: PATIENCE_MS }
    const person = new Person(jid, await Client.connect(endpoint, { jid, password: PASSWORD, resource }))
    void person.#read()
    await person.ask(jid, ROSTER) // who does not ask is not told of subscriptions
    person.send('<presence/>')
    await person.expectSeen('presence', { from: person.fullJid })
    return person
  }

  send (xml: string): void {
    this.#client.send(xml)
  }

  /**
   * The first stanza that has these attributes, and whose text has this, be it still to come; rejects when it can not
   * come any more.
   */
  async expectSeen (name: string, attributes: Attributes, content = /^/): Promise<XmlElement> {
    const what = `${this.jid}: <${name}/> with ${JSON.stringify(attributes)} and ${content}`
    const seen = this.#inbox.take(what, one => one.matches(name, attributes, content))
    return (await Promise.race([seen, this.#over.promise])).element
  }

  /** Whether a stanza came whose text has this. */
  hasSeen (content: RegExp): boolean {
    return this.#all.some(({ text }) => content.test(text))
  }

  /** The ids of all messages, as they came. */
  get messageIds (): readonly (string | undefined)[] {
    return this.#all.filter(({ element }) => element.name === 'message').map(({ element }) => element.attributes.get('id'))
  }

  /** The bodies by an author in the results of a query of an archive. */
  bodiesOf (queryId: string, author: string): readonly string[] {
    return this.#all.map(({ text }) => text).filter(text => text.includes(`queryid='${queryId}'`))
      .flatMap(text => new RegExp(`<forwarded.*from='${author}/.*<body>([^<]*)<`).exec(text)?.[1] ?? [])
  }

  /** The answer to a request, whether result or error. */
  async ask (to: string, payload: string, type: 'get' | 'set' = 'get'): Promise<string> {
    const id = `ask-${++this.#ids}`
    this.send(`<iq type='${type}' id='${id}' to='${to}'>${payload}</iq>`)
    return formatXml(await this.expectSeen('iq', { id }, /type='(result|error)'/))
  }

  /** Says something, with an id that is its body. */
  say (to: string, body: string, more = ''): void {
    this.send(`<message type='chat' to='${to}' id='${body}'><body>${body}</body>${more}</message>`)
  }

  /** Asks to see somebody's presence, is let, and sees it. */
  async subscribesTo (other: Person): Promise<void> {
    this.send(`<presence type='subscribe' to='${other.jid}'/>`)
    await other.expectSeen('presence', { type: 'subscribe', from: this.jid })
    other.send(`<presence type='subscribed' to='${this.jid}'/>`)
    await this.expectSeen('presence', { type: 'subscribed', from: other.jid })
    await this.expectSeen('presence', { from: other.fullJid })
  }

  /** The subscription of a contact in the roster, with what is asked; nothing where there is none. */
  async subscriptionOf (other: Person): Promise<string | undefined> {
    const roster = await this.ask(this.jid, ROSTER)
    const item = roster.match(/<item[^>]*>/g)?.find(text => text.includes(`jid='${other.jid}'`))
    return /subscription='([a-z]+)'/.exec(item ?? '')?.[1]
  }

  /** The first thing said surely on this stream: resolves when the server has acknowledged it (XEP-0198). */
  async saySurely (to: string, body: string): Promise<void> {
    this.send(`<enable xmlns='${SM}'/>`)
    await this.expectSeen('enabled', {})
    this.say(to, body)
    this.send(`<r xmlns='${SM}'/>`)
    await this.expectSeen('a', { h: '1' })
  }

  leave (): void {
    this.#isOver = true
    this.#client.destroy()
  }

  async #read (): Promise<void> {
    while (!this.#isOver) {
      try {
        const seen = new Seen(await this.#client.receive())
        this.#all.push(seen)
        this.#inbox.add(seen)
      } catch {
        if (this.#client.isOver) return this.#over.reject(new Error(`${this.jid}: the stream is over`))
      }
    }
  }
}
