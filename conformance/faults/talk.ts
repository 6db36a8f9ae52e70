/** People who talk through a server that dies: they come back, send again what was not acknowledged, and keep count. */
import { setTimeout } from 'node:timers/promises'
import { Client } from '../runner/client.ts'
import type { XmlElement } from '../runner/xml.ts'

const NS_SM = 'urn:xmpp:sm:3'
const WINDOW = 20
const ASK_EVERY = 5
const RETRY_MS = 50
const PASSWORD = 'secret'

export interface Account { readonly jid: string, readonly port: number }

/** Logs in as often as it takes: the server may be down. */
async function connected ({ jid, port }: Account, resource: string): Promise<Client> {
  for (;;) {
    try {
      const client = await Client.connect({ port, tls: false }, { jid, password: PASSWORD, resource })
      client.send(`<enable xmlns='${NS_SM}'/>`)
      while ((await client.receive()).name !== 'enabled') { /* features and the like */ }
      return client
    } catch { // refused, cut off, or not ready
      await setTimeout(RETRY_MS)
    }
  }
}

/** Sends numbered messages to one peer, each until it is acknowledged. */
export class Sender {
  readonly account: Account
  readonly #to: string
  readonly acknowledged = new Set<string>()
  sent = 0
  reconnected = -1
  refused = 0
  /** Not acknowledged, in the order in which they were sent first. */
  #open: string[] = []
  #isOver = false

  constructor (account: Account, to: string) {
    this.account = account
    this.#to = to
  }

  /** No new messages from now on. */
  finish (): void {
    this.#isOver = true
  }

  /** Resolves when it is over and everything that was sent is acknowledged. */
  async run (): Promise<void> {
    while (!this.#isOver || this.#open.length > 0) {
      this.reconnected++
      const client = await connected(this.account, 'sender')
      try {
        await this.#talk(client)
      } catch { // the stream broke: what was not acknowledged is sent again on the next
        client.destroy()
      }
    }
  }

  async #talk (client: Client): Promise<void> {
    const onStream: string[] = []
    const refused = new Set<string>()
    let handled = 0
    for (const id of this.#open) this.#send(client, id, onStream)
    client.send(`<r xmlns='${NS_SM}'/>`)
    while (!this.#isOver || this.#open.length > 0) {
      while (!this.#isOver && this.#open.length < WINDOW) {
        const id = `${this.account.jid.split('@')[0]}-${++this.sent}`
        this.#open.push(id)
        this.#send(client, id, onStream)
        if (this.sent % ASK_EVERY === 0) client.send(`<r xmlns='${NS_SM}'/>`)
      }
      const element = await client.receive()
      if (element.name === 'message' && element.attributes.get('type') === 'error') refused.add(element.attributes.get('id') ?? '')
      if (element.name !== 'a') continue
      for (; handled < Number(element.attributes.get('h')); handled++) this.#settle(onStream[handled] ?? '', refused)
      // What was refused is sent again, behind the others.
      for (const id of this.#open) if (refused.delete(id)) this.#send(client, id, onStream)
      if (this.#open.length > 0) client.send(`<r xmlns='${NS_SM}'/>`)
    }
    await client.disconnect()
  }

  #settle (id: string, refused: ReadonlySet<string>): void {
    if (refused.has(id)) {
      this.refused++
      return
    }
    this.acknowledged.add(id)
    this.#open = this.#open.filter(open => open !== id)
  }

  #send (client: Client, id: string, onStream: string[]): void {
    onStream.push(id)
    client.send(`<message to='${this.#to}' type='chat' id='${id}'><body>${id}</body>` +
      `<origin-id xmlns='urn:xmpp:sid:0' id='${id}'/></message>`)
  }
}

/** Takes what comes, acknowledges it, and comes back when the stream breaks. */
export class Receiver {
  readonly account: Account
  /** How often each body came. */
  readonly received = new Map<string, number>()
  #client: Client | undefined
  #isOver = false

  constructor (account: Account) {
    this.account = account
  }

  async run (): Promise<void> {
    while (!this.#isOver) {
      const client = this.#client = await connected(this.account, 'receiver')
      try {
        client.send('<presence/>')
        await this.#listen(client)
      } catch { // broken, or silent for a while
        client.destroy()
      }
    }
  }

  async #listen (client: Client): Promise<void> {
    let handled = 0
    for (;;) {
      const element = await client.receive()
      if (element.name === 'r') client.send(`<a xmlns='${NS_SM}' h='${handled}'/>`)
      if (!['message', 'presence', 'iq'].includes(element.name)) continue
      handled++
      const body = child(element, 'body')?.text
      if (body !== undefined) this.received.set(body, (this.received.get(body) ?? 0) + 1)
    }
  }

  stop (): void {
    this.#isOver = true
    this.#client?.destroy()
  }
}

/** The whole archive of an account (XEP-0313), the oldest first: ids and bodies. */
export async function readArchive (account: Account): Promise<readonly { readonly id: string, readonly body: string }[]> {
  const client = await Client.connect({ port: account.port, tls: false }, {
    jid: account.jid, password: PASSWORD, resource: 'reader',
  })
  const messages: { readonly id: string, readonly body: string }[] = []
  for (let isComplete = false; !isComplete;) {
    const after = messages.at(-1)?.id
    client.send("<iq type='set' id='page'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'>" +
      `<max>200</max>${after === undefined ? '' : `<after>${after}</after>`}</set></query></iq>`)
    for (let element = await client.receive(); ; element = await client.receive()) {
      const result = child(element, 'result')
      const message = result && child(child(result, 'forwarded'), 'message')
      if (result && message) messages.push({ id: result.attributes.get('id') ?? '', body: child(message, 'body')?.text ?? '' })
      if (element.name !== 'iq') continue
      isComplete = child(element, 'fin')?.attributes.get('complete') === 'true'
      break
    }
  }
  await client.disconnect()
  return messages
}

function child (element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find(one => one.name === name)
}
