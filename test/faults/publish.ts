/** People who publish through a server that fails, and people who hear of it (XEP-0060, XEP-0163). */
import { setTimeout } from 'node:timers/promises'
import { Client } from '../../conformance/runner/client.ts'
import type { XmlElement } from '../../conformance/runner/xml.ts'
import { ANSWER_MS, Line, PASSWORD } from './line.ts'
import type { Account } from './line.ts'

const NS_PUBSUB = 'http://jabber.org/protocol/pubsub'
const NS_INFO = 'http://jabber.org/protocol/disco#info'
const PAUSE_MS = 100
/** Publications to one node that are not answered yet. */
const WINDOW = 4
const PAGE = 200

/** A node at an account or at a service. */
export interface Place { readonly owner: string, readonly node: string }

export function nameOf ({ owner, node }: Place): string {
  return `${node} at ${owner}`
}

/** What somebody publishes to one node. */
interface Series {
  readonly place: Place
  /** The numbers of the last item that was published, of the last that is answered as all before it are. */
  published: number
  answered: number
  /** The number of the last one that was sent on this stream, or since one was refused. */
  sent: number
  /** The numbers of those that were sent more than once. */
  readonly again: Set<number>
}

/** Publishes numbered items to several nodes, several at a time, each until it is answered. */
export class Publisher {
  readonly account: Account
  readonly line: Line
  readonly series: readonly Series[]
  readonly #paceMs: number
  /** How many publications came back with an error that says: wait. */
  refused = 0
  /** What a server must not say here. */
  readonly wrong: string[] = []
  #isOver = false

  constructor (account: Account, places: readonly Place[], paceMs: number) {
    this.account = account
    this.line = new Line(account, 'publisher')
    this.series = places.map(place => ({ place, published: 0, answered: 0, sent: 0, again: new Set() }))
    this.#paceMs = paceMs
  }

  /** The id of its item with that number, and the text in it. */
  id (number: number): string {
    return `${this.account.jid.split('@')[0]}-${number}`
  }

  /** The number in an id of its own; undefined for another's. */
  number (id: string): number | undefined {
    const [who, number] = id.split('-')
    return who === this.account.jid.split('@')[0] ? Number(number) : undefined
  }

  /** Nothing new from now on. */
  finish (): void {
    this.#isOver = true
  }

  get isDone (): boolean {
    return this.#isOver && this.series.every(({ published, answered }) => published === answered)
  }

  /** Resolves when it is over and everything is answered, or when its line is hung up. */
  async run (): Promise<void> {
    while (!this.isDone) {
      if (!await this.line.open()) return
      for (const one of this.series) one.sent = one.answered
      try {
        while (!this.isDone) {
          for (const [at, one] of this.series.entries()) this.#fillWindow(one, at)
          await this.#take(await this.line.receive())
        }
        await this.line.close()
      } catch { // broken, or silent: an answer that was under way within a node was lost with it
        this.line.drop()
      }
    }
  }

  /** Sends new items, and before them again those that are not answered. */
  #fillWindow (one: Series, at: number): void {
    const last = this.#isOver ? one.published : one.answered + WINDOW
    while (one.sent < last) {
      const number = ++one.sent
      if (number <= one.published) one.again.add(number)
      else one.published = number
      const id = this.id(number)
      this.line.send(`<iq type='set' id='${at}-${number}' to='${one.place.owner}'><pubsub xmlns='${NS_PUBSUB}'>` +
        `<publish node='${one.place.node}'><item id='${id}'><thing xmlns='urn:example:thing'>${id}</thing></item>` +
        '</publish></pubsub></iq>')
    }
  }

  async #take ({ name, attributes, children }: XmlElement): Promise<void> {
    const [at = NaN, number = NaN] = (attributes.get('id') ?? '').split('-').map(Number)
    const one = this.series[at]
    if (name !== 'iq' || !one || number <= one.answered) return
    if (attributes.get('type') === 'error') {
      this.#takeError(children.find(child => child.name === 'error'))
      one.sent = number - 1
      await setTimeout(PAUSE_MS)
    } else if (number === one.answered + 1) {
      one.answered = number
      await setTimeout(this.#paceMs)
    }
  }

  #takeError (error: XmlElement | undefined): void {
    this.refused++
    if (error?.attributes.get('type') !== 'wait') this.wrong.push(error?.children[0]?.name ?? 'an error without a reason')
  }
}

/** Hears of items, acknowledges what comes, and comes back when the stream breaks. */
export class Listener {
  readonly account: Account
  readonly line: Line
  /** By place, the ids of items in the order in which they came. */
  readonly #heard = new Map<string, string[]>()
  readonly #capabilities: string
  readonly #information: string

  /** `capabilities` are what its presence announces, `information` what it answers who asks for them (XEP-0115). */
  constructor (account: Account, capabilities: string, information: string) {
    this.account = account
    this.line = new Line(account, 'listener')
    this.#capabilities = capabilities
    this.#information = information
  }

  /** Resolves when its line is hung up. */
  async run (): Promise<void> {
    for (let opened = await this.line.open(); opened; opened = await this.line.open()) {
      try {
        // The first stanza that it ever sends; it may have been lost on a stream before.
        if (opened.taken === 0) this.line.send(`<presence>${this.#capabilities}</presence>`)
        for (;;) this.#take(await this.line.receive())
      } catch { // broken, or silent for a while
        this.line.drop()
      }
    }
  }

  /** The ids of all that it heard of a node, in the order in which they came. */
  heard (place: Place): readonly string[] {
    return this.#heard.get(nameOf(place)) ?? []
  }

  #take (element: XmlElement): void {
    const { name, attributes, children } = element
    const from = attributes.get('from') ?? ''
    if (name === 'iq' && attributes.get('type') === 'get' && children[0]?.ns === NS_INFO) {
      this.line.send(`<iq type='result' to='${from}' id='${attributes.get('id')}'>${this.#information}</iq>`)
    }
    const items = children.find(({ ns }) => ns === `${NS_PUBSUB}#event`)?.children[0]
    if (name === 'message' && items?.name === 'items') this.#hear(from, items)
  }

  #hear (owner: string, items: XmlElement): void {
    const key = nameOf({ owner, node: items.attributes.get('node') ?? '' })
    const heard = this.#heard.get(key) ?? []
    this.#heard.set(key, heard)
    heard.push(...items.children.flatMap(({ name, attributes }) => name === 'item' ? attributes.get('id') ?? '' : []))
  }
}

/** The ids of all items of a node, the oldest first, with their payloads' text. */
export async function readItems (
  account: Account, { owner, node }: Place,
): Promise<readonly (readonly [string, string])[]> {
  const client = await Client.connect({ port: account.port, tls: false, patienceMs: ANSWER_MS }, {
    jid: account.jid, password: PASSWORD, resource: 'reader',
  })
  const all: (readonly [string, string])[] = []
  for (;;) {
    const after = all.at(-1)?.[0]
    const answer = await ask(client, 'get', owner, `<items node='${node}'/>`,
      `<set xmlns='http://jabber.org/protocol/rsm'><max>${PAGE}</max>${after === undefined ? '' : `<after>${after}</after>`}</set>`)
    const page = answer.children[0]?.children[0]?.children ?? []
    all.push(...page.map(({ attributes, children }) => [attributes.get('id') ?? '', children[0]?.text ?? ''] as const))
    if (page.length < PAGE) break
  }
  await client.disconnect()
  return all
}

/** The answer to a request to nodes; throws where that is an error. */
export async function ask (
  client: Client, type: 'get' | 'set', to: string, action: string, besides = '',
): Promise<XmlElement> {
  client.send(`<iq type='${type}' id='ask' to='${to}'><pubsub xmlns='${NS_PUBSUB}'>${action}${besides}</pubsub></iq>`)
  for (;;) {
    const answer = await client.receive()
    if (answer.name !== 'iq' || answer.attributes.get('id') !== 'ask') continue
    if (answer.attributes.get('type') !== 'result') {
      throw new Error(`${action}: ${answer.children.at(-1)?.children[0]?.name ?? 'no reason'}`)
    }
    return answer
  }
}
