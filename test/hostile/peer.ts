/** A client that may break every rule: it sends what bytes it likes, and reads strictly what it is answered. */
import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { scramSha1 } from '../../conformance/runner/scram.ts'
import { formatXml, StreamReader } from '../../conformance/runner/xml.ts'
import type { XmlElement } from '../../conformance/runner/xml.ts'

export const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
export const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
const NS_BIND = 'urn:ietf:params:xml:ns:xmpp-bind'
export const PASSWORD = 'secret'

/** Where whoever attacks comes from: not where the innocent do. */
export const ELSEWHERE = '127.0.0.66'

export interface Address {
  readonly port: number
  readonly isTls?: boolean
  readonly from?: string
  /** Whom the stream is for, and what TLS asks for by SNI; `localhost` where it isn't said. */
  readonly host?: string
  /** What a balancer says before all else, TLS included. */
  readonly preface?: string | Buffer
}

export class Peer {
  readonly #host: string
  #socket: Socket | TLSSocket
  readonly #inbox: XmlElement[] = []
  readonly #waiting: (() => void)[] = []
  #reader: StreamReader
  #isOver = false
  #isClosed = false
  #fault: unknown

  private constructor (socket: Socket, host: string) {
    this.#host = host
    this.#socket = socket
    this.#reader = this.#read()
    this.#listen()
  }

  static async connect (
    { port, isTls = false, from = ELSEWHERE, host = 'localhost', preface }: Address,
  ): Promise<Peer> {
    const socket = connectTcp({ port, host: '127.0.0.1', localAddress: from })
    if (preface !== undefined) socket.write(preface)
    const peer = new Peer(isTls ? connectTls({ socket, servername: host, rejectUnauthorized: false }) : socket, host)
    await once(peer.#socket, isTls ? 'secureConnect' : 'connect')
    return peer
  }

  /** With a stream that has told its features. */
  static async open (address: Address): Promise<Peer> {
    const peer = await Peer.connect(address)
    await peer.open()
    return peer
  }

  /** Registers where that is new, logs in and binds. */
  static async logIn (address: Address, jid: string, isNew = true): Promise<Peer> {
    const peer = await Peer.open(address)
    const [local = '', resource = ''] = jid.split('/')
    if (isNew) await peer.register(local)
    await peer.authenticate(local)
    await peer.bind(resource)
    return peer
  }

  get isClosed (): boolean { return this.#isClosed }

  /** Of the server, where TLS is spoken. */
  get certificate (): X509Certificate | undefined {
    return this.#socket instanceof TLSSocket ? this.#socket.getPeerX509Certificate() : undefined
  }

  /** Resolves when the bytes have left, or never can. */
  async send (data: string | Buffer): Promise<void> {
    if (this.#isClosed || !this.#socket.writable) return
    await new Promise<void>(resolve => { this.#socket.write(data, () => { resolve() }) })
  }

  /** Begins a stream and reads up to its features. */
  async open (): Promise<XmlElement> {
    this.#reader = this.#read()
    void this.send(header(this.#host))
    return await this.expect('features')
  }

  async startTls (): Promise<void> {
    void this.send(`<starttls xmlns='${NS_TLS}'/>`)
    await this.expect('proceed')
    this.#socket.removeAllListeners()
    const secured = connectTls({ socket: this.#socket, servername: this.#host, rejectUnauthorized: false })
    this.#socket = secured
    this.#listen()
    await once(secured, 'secureConnect')
  }

  async register (local: string): Promise<void> {
    void this.send(`<iq type='set' id='register'><query xmlns='jabber:iq:register'><username>${local}</username>` +
      `<password>${PASSWORD}</password></query></iq>`)
    await this.expect('iq', 'result')
  }

  async authenticate (local: string): Promise<void> {
    await this.prove(local)
    await this.open()
  }

  /** Up to the success, after which a new stream is to begin. */
  async prove (local: string): Promise<void> {
    const scram = scramSha1(local, PASSWORD)
    void this.send(auth('SCRAM-SHA-1', scram.first))
    const { final } = scram.answer(Buffer.from((await this.expect('challenge')).text, 'base64').toString())
    void this.send(response(final))
    await this.expect('success')
  }

  async bind (resource: string): Promise<void> {
    void this.send(`<iq type='set' id='bind'><bind xmlns='${NS_BIND}'><resource>${resource}</resource></bind></iq>`)
    await this.expect('iq', 'result')
  }

  /** Answered, so everything that was sent before has been dealt with. */
  async expectPong (): Promise<void> {
    const id = `ping-${Math.random()}`
    void this.send(`<iq type='get' id='${id}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`)
    for (;;) if ((await this.next()).attributes.get('id') === id) return
  }

  /** The next element; rejects when the stream is over. */
  async next (): Promise<XmlElement> {
    while (this.#inbox.length === 0) {
      if (this.#fault !== undefined) throw this.#fault
      if (this.#isOver || this.#isClosed) throw new Error('the stream is over')
      await this.#arrival()
    }
    const element = this.#inbox.shift()
    if (element) return element
    throw new Error('nothing came')
  }

  /** The next element, which must have this name, and this type if one is given. */
  async expect (name: string, type?: string): Promise<XmlElement> {
    const element = await this.next()
    if (element.name === name && (type === undefined || element.attributes.get('type') === type)) return element
    throw new Error(`expected <${name} type='${type}'/>, got ${formatXml(element)}`)
  }

  /** The condition of the stream error by which the server ends the stream, and then the connection. */
  async streamError (): Promise<string | undefined> {
    for (;;) {
      const element = await this.next()
      if (element.name !== 'error' || element.ns !== 'http://etherx.jabber.org/streams') continue
      while (!this.#isOver && !this.#isClosed) await this.#arrival()
      if (!this.#isOver) throw new Error('the stream was not closed')
      await this.expectClosed()
      return element.children.find(({ ns, name }) => ns === 'urn:ietf:params:xml:ns:xmpp-streams' && name !== 'text')
        ?.name
    }
  }

  /** The server has closed its side of the connection. */
  async expectClosed (): Promise<void> {
    while (!this.#isClosed) await this.#arrival()
  }

  /** Our side of the connection is closed, and may still be answered. */
  end (data: string | Buffer = ''): void {
    this.#socket.end(data)
  }

  /** Gone without a word. */
  destroy (): void {
    this.#socket.destroy()
  }

  /** Reads no more: what the server sends fills the buffers in between. */
  stopReading (): void {
    this.#socket.pause()
  }

  /** Reads on, as fast as it can, and heeds nothing of it. */
  ignore (): void {
    this.#socket.removeAllListeners('data').on('data', () => {})
  }

  resumeReading (): void {
    this.#socket.resume()
  }

  #read (): StreamReader {
    this.#isOver = false
    return new StreamReader({
      element: element => {
        this.#inbox.push(element)
        this.#tell()
      },
      end: () => {
        this.#isOver = true
        this.#tell()
      },
    })
  }

  #listen (): void {
    this.#socket.setEncoding('utf8')
    this.#socket.on('data', (text: string) => {
      try {
        this.#reader.write(text)
      } catch (error) { // the server broke a rule
        this.#fault ??= error
        this.#tell()
      }
    })
    this.#socket.on('error', () => {})
    for (const event of ['end', 'close']) {
      this.#socket.on(event, () => {
        this.#isClosed = true
        this.#tell()
      })
    }
  }

  #arrival (): Promise<void> {
    return new Promise(resolve => { this.#waiting.push(resolve) })
  }

  #tell (): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

export function header (to = 'localhost'): string {
  return "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'" +
    ` to='${to}' version='1.0'>`
}

export function auth (mechanism: string, initial: string): string {
  return `<auth xmlns='${NS_SASL}' mechanism='${mechanism}'>${Buffer.from(initial).toString('base64')}</auth>`
}

export function response (data: string): string {
  return `<response xmlns='${NS_SASL}'>${Buffer.from(data).toString('base64')}</response>`
}
