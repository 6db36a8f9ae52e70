/** A client's stream over TCP, plain or with STARTTLS: logs in (SCRAM-SHA-1 or PLAIN), binds, sends and receives. */
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { scramSha1 } from './scram.ts'
import { Stream } from './stream.ts'
import { formatXml, type XmlElement } from './xml.ts'

export interface Endpoint {
  readonly port: number
  /** For other servers; undefined where it listens for none. */
  readonly serverPort?: number | undefined
  /** Use STARTTLS; whoever signed the certificate. */
  readonly tls: boolean
  /** How long to wait for what should come, in milliseconds; five seconds unless given. */
  readonly patienceMs?: number
}

export interface Login {
  readonly jid: string
  readonly password: string
  readonly resource: string | undefined
}

const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls'

export class Client {
  readonly #endpoint: Endpoint
  readonly #login: Login
  readonly #stream: Stream
  #features: XmlElement | undefined
  #fullJid = ''

  private constructor (endpoint: Endpoint, login: Login) {
    this.#endpoint = endpoint
    this.#login = login
    this.#stream = new Stream(connectTcp(endpoint.port, '127.0.0.1'), endpoint.patienceMs)
  }

  /** Connects and waits for the features: TCP, and TLS where the endpoint says so. */
  static async open (endpoint: Endpoint, login: Login): Promise<Client> {
    const client = new Client(endpoint, login)
    try {
      await client.#negotiateTls()
      return client
    } catch (error) {
      client.destroy()
      throw error
    }
  }

  /** Connects, logs in and binds; sends neither presence nor a request for the roster. */
  static async connect (endpoint: Endpoint, login: Login): Promise<Client> {
    const client = await Client.logIn(endpoint, login)
    try {
      await client.bind()
      return client
    } catch (error) {
      client.destroy()
      throw error
    }
  }

  /** Connects and logs in: what comes next is to bind a resource, or to resume a session. */
  static async logIn (endpoint: Endpoint, login: Login): Promise<Client> {
    const client = await Client.open(endpoint, login)
    try {
      await client.#authenticate()
      await client.#open()
      return client
    } catch (error) {
      client.destroy()
      throw error
    }
  }

  get fullJid (): string {
    return this.#fullJid
  }

  /** Whether nothing more can come. */
  get isOver (): boolean {
    return this.#stream.isOver
  }

  /** Binds the login's resource. */
  async bind (): Promise<void> {
    const resource = this.#login.resource === undefined ? '' : `<resource>${this.#login.resource}</resource>`
    this.send(`<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>${resource}</bind></iq>`)
    const bound = await this.#stream.expect('iq')
    this.#fullJid = bound.children[0]?.children[0]?.text ?? ''
    if (this.#fullJid === '') throw new Error(`could not bind: ${formatXml(bound)}`)
  }

  send (xml: string): void {
    this.#stream.send(xml)
  }

  /** The next element, in the order they came; rejects when the stream is over or nothing comes in time. */
  receive (): Promise<XmlElement> {
    return this.#stream.receive()
  }

  /** Closes the stream and waits until the server has closed it too. */
  disconnect (): Promise<void> {
    return this.#stream.close()
  }

  destroy (): void {
    this.#stream.destroy()
  }

  async #negotiateTls (): Promise<void> {
    this.#features = await this.#open()
    if (!this.#endpoint.tls) return
    this.send(`<starttls xmlns='${NS_TLS}'/>`)
    await this.#stream.expect('proceed')
    this.#stream.startTls(socket => connectTls({ socket, rejectUnauthorized: false }))
    this.#features = await this.#open()
  }

  async #authenticate (): Promise<void> {
    const [username = ''] = this.#login.jid.split('@')
    if (!mechanisms(this.#features).includes('SCRAM-SHA-1')) {
      this.#auth('PLAIN', `\0${username}\0${this.#login.password}`)
      await this.#stream.expect('success')
      return
    }
    const scram = scramSha1(username, this.#login.password)
    this.#auth('SCRAM-SHA-1', scram.first)
    const { final, serverFinal } = scram.answer(decode(await this.#stream.expect('challenge')))
    this.send(`<response xmlns='${NS_SASL}'>${Buffer.from(final).toString('base64')}</response>`)
    if (decode(await this.#stream.expect('success')) !== serverFinal) throw new Error('the server does not know the password')
  }

  #auth (mechanism: string, initial: string): void {
    this.send(`<auth xmlns='${NS_SASL}' mechanism='${mechanism}'>${Buffer.from(initial).toString('base64')}</auth>`)
  }

  #open (): Promise<XmlElement> {
    this.#stream.restart()
    this.send(`<?xml version='1.0'?><stream:stream to='${this.#login.jid.split('@')[1]}' version='1.0' xml:lang='en'` +
      " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
    return this.#stream.expect('features')
  }
}

function mechanisms (features: XmlElement | undefined): string[] {
  const list = features?.children.find(({ name, ns }) => name === 'mechanisms' && ns === NS_SASL)
  return list?.children.map(({ text }) => text) ?? []
}

function decode (element: XmlElement): string {
  return Buffer.from(element.text, 'base64').toString()
}
