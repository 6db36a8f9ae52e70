/** A client's stream over TCP, plain or with STARTTLS: logs in (SCRAM-SHA-1 or PLAIN), binds, sends and receives. */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { scramSha1 } from './scram.ts'
import { formatXml, StreamReader, type XmlElement } from './xml.ts'

export interface Endpoint {
  readonly port: number
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
const PATIENCE_MS = 5_000

export class Client {
  readonly #endpoint: Endpoint
  readonly #login: Login
  readonly #inbox: XmlElement[] = []
  #socket: Socket
  #reader: StreamReader | undefined
  #features: XmlElement | undefined
  #wake: (() => void) | undefined
  #ended: string | undefined
  #fullJid = ''

  private constructor (endpoint: Endpoint, login: Login, socket: Socket) {
    this.#endpoint = endpoint
    this.#login = login
    this.#socket = socket
    this.#listen()
  }

  /** Connects and waits for the features: TCP, and TLS where the endpoint says so. */
  static async open (endpoint: Endpoint, login: Login): Promise<Client> {
    const client = new Client(endpoint, login, connectTcp(endpoint.port, '127.0.0.1'))
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
    return this.#ended !== undefined && this.#inbox.length === 0
  }

  /** Binds the login's resource. */
  async bind (): Promise<void> {
    const resource = this.#login.resource === undefined ? '' : `<resource>${this.#login.resource}</resource>`
    this.send(`<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>${resource}</bind></iq>`)
    const bound = await this.#expect('iq')
    this.#fullJid = bound.children[0]?.children[0]?.text ?? ''
    if (this.#fullJid === '') throw new Error(`could not bind: ${formatXml(bound)}`)
  }

  send (xml: string): void {
    this.#socket.write(xml)
  }

  /** The next element, in the order they came; rejects when the stream is over or nothing comes in time. */
  async receive (): Promise<XmlElement> {
    if (this.#inbox.length === 0 && this.#ended === undefined) await this.#arrival()
    const element = this.#inbox.shift()
    if (element) return element
    throw new Error(this.#ended ?? 'nothing came')
  }

  /** Closes the stream and waits until the server has closed it too. */
  async disconnect (): Promise<void> {
    if (this.#ended === undefined) this.#socket.end('</stream:stream>')
    while (this.#ended === undefined) await this.#arrival()
    this.destroy()
  }

  destroy (): void {
    this.#socket.destroy()
  }

  #arrival (): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { patienceMs = PATIENCE_MS } = this.#endpoint
    const timer = setTimeout(() => { reject(new Error(`nothing came in ${patienceMs / 1000} s`)) }, patienceMs)
    this.#wake = () => {
      clearTimeout(timer)
      resolve()
    }
    return promise
  }

  async #negotiateTls (): Promise<void> {
    this.#features = await this.#open()
    if (!this.#endpoint.tls) return
    this.send(`<starttls xmlns='${NS_TLS}'/>`)
    await this.#expect('proceed')
    this.#socket.removeAllListeners()
    this.#socket = connectTls({ socket: this.#socket, rejectUnauthorized: false })
    this.#listen()
    this.#features = await this.#open()
  }

  async #authenticate (): Promise<void> {
    const [username = ''] = this.#login.jid.split('@')
    if (!mechanisms(this.#features).includes('SCRAM-SHA-1')) {
      this.#auth('PLAIN', `\0${username}\0${this.#login.password}`)
      await this.#expect('success')
      return
    }
    const scram = scramSha1(username, this.#login.password)
    this.#auth('SCRAM-SHA-1', scram.first)
    const { final, serverFinal } = scram.answer(decode(await this.#expect('challenge')))
    this.send(`<response xmlns='${NS_SASL}'>${Buffer.from(final).toString('base64')}</response>`)
    if (decode(await this.#expect('success')) !== serverFinal) throw new Error('the server does not know the password')
  }

  #auth (mechanism: string, initial: string): void {
    this.send(`<auth xmlns='${NS_SASL}' mechanism='${mechanism}'>${Buffer.from(initial).toString('base64')}</auth>`)
  }

  #open (): Promise<XmlElement> {
    this.#reader = new StreamReader({
      element: element => {
        this.#inbox.push(element)
        this.#wake?.()
      },
      end: () => { this.#end('the server closed the stream') },
    })
    this.send(`<?xml version='1.0'?><stream:stream to='${this.#login.jid.split('@')[1]}' version='1.0' xml:lang='en'` +
      " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
    return this.#expect('features')
  }

  #listen (): void {
    this.#socket.setEncoding('utf8')
    this.#socket.on('data', (text: string) => {
      try {
        this.#reader?.write(text)
      } catch (error) {
        this.#end(`what the server sent is no XML: ${String(error)}`)
      }
    })
    this.#socket.on('error', error => { this.#end(error.message) })
    this.#socket.on('close', () => { this.#end('the connection was closed') })
  }

  async #expect (name: string): Promise<XmlElement> {
    const element = await this.receive()
    if (element.name !== name) throw new Error(`expected <${name}/>, got ${formatXml(element)}`)
    return element
  }

  #end (reason: string): void {
    this.#ended ??= reason
    this.#wake?.()
  }
}

function mechanisms (features: XmlElement | undefined): string[] {
  const list = features?.children.find(({ name, ns }) => name === 'mechanisms' && ns === NS_SASL)
  return list?.children.map(({ text }) => text) ?? []
}

function decode (element: XmlElement): string {
  return Buffer.from(element.text, 'base64').toString()
}
