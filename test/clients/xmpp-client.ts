/** The npm package @xmpp/client over each of its transports, within the test's process. */
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { client, xml, type Client } from '@xmpp/client'
import type { Element } from '@xmpp/xml'
import { Inbox } from './inbox.ts'
import { PASSWORD, type Meeting } from './server.ts'

export const TRANSPORTS = ['STARTTLS', 'direct TLS', 'WebSocket'] as const
export type Transport = typeof TRANSPORTS[number]

const NS_ROSTER = 'jabber:iq:roster'

export class XmppClient {
  readonly jid: string
  /** The headers of the server's streams, one after another. */
  readonly headers: Element[] = []
  readonly #client: Client
  readonly #inbox = new Inbox<Element>()
  #fullJid = ''

  /** Logs in and tells that it is there; rejects when it is refused. */
  static async login (
    meeting: Meeting, name: string, transport: Transport, password = PASSWORD,
  ): Promise<XmppClient> {
    const service = {
      'STARTTLS': `xmpp://127.0.0.1:${meeting.port}`,
      'direct TLS': `xmpps://localhost:${meeting.tlsPort}`,
      'WebSocket': `ws://127.0.0.1:${meeting.httpPort}/ws`,
    }[transport]
    // It takes no certificates of its own, and believes what Node believes.
    setDefaultCACertificates([...getCACertificates('default'), meeting.certificatePem])
    const connection = client({ service, domain: 'localhost', username: name, password, resource: 'node' })
    connection.reconnect.stop()
    connection.on('error', () => {}) // start() rejects with it
    answerMayBeFast(connection)
    const opened = new XmppClient(connection, `${name}@localhost`)
    try {
      opened.#fullJid = (await connection.start()).toString()
    } catch (error) { // a SASLError, or the connection's
      await connection.stop()
      throw error
    }
    await opened.get(xml('query', { xmlns: NS_ROSTER }))
    await connection.send(xml('presence'))
    return opened
  }

  private constructor (connection: Client, jid: string) {
    this.jid = jid
    this.#client = connection
    connection.on('stanza', stanza => this.#inbox.add(stanza))
    connection.on('open', header => this.headers.push(header))
  }

  get fullJid (): string {
    return this.#fullJid
  }

  /** The first stanza of that kind, seen or still to be seen. */
  async expectSeen (name: 'message' | 'presence', from: string, type?: string): Promise<Element> {
    return this.#inbox.take(`${this.jid}: ${type ?? 'plain'} ${name} of ${from}`, ({ name: kind, attrs }) =>
      kind === name && attrs['type'] === type && String(attrs['from']).split('/')[0] === from)
  }

  async send (name: 'message' | 'presence', attrs: Record<string, string>, ...children: Element[]): Promise<void> {
    await this.#client.send(xml(name, attrs, ...children))
  }

  async chat (to: string, body: string): Promise<void> {
    await this.send('message', { to, type: 'chat' }, xml('body', {}, body))
  }

  /** The answer's payload, if it has one; rejects with a StanzaError. */
  async get (child: Element, to?: string): Promise<Element | undefined> {
    return this.#counted(this.#client.iqCaller.get(child, to))
  }

  async set (child: Element, to?: string): Promise<Element | undefined> {
    return this.#counted(this.#client.iqCaller.set(child, to))
  }

  // COMPAT(@xmpp/client, 0.14): it leaves out answers to its own requests when it counts what it has (XEP-0198 §4).
  async #counted<T> (answer: Promise<T>): Promise<T> {
    return await answer.finally(() => { this.#client.streamManagement.inbound++ })
  }

  /** What the roster says of each contact. */
  async roster (): Promise<Record<string, string>> {
    const query = await this.get(xml('query', { xmlns: NS_ROSTER }))
    const items = query?.getChildren('item') ?? []
    return Object.fromEntries(items.map(({ attrs }) => [attrs['jid'], attrs['subscription']]))
  }

  async stop (): Promise<void> {
    await this.#client.stop()
  }
}

/** It waits for the server's stream header only when its own has left, and misses one that came sooner. */
function answerMayBeFast (connection: Client): void {
  const write = connection.write.bind(connection)
  connection.write = async text => {
    write(text).catch(() => {}) // the connection broke, which it is told
  }
}
