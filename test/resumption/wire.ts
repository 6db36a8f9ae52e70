/** A stream over either transport, which can be cut at any moment: what the language of the scripts has no word for. */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { auth, PASSWORD, Peer } from '../hostile/peer.ts'
import type { Target } from '../hostile/server.ts'
import { formatXml, StreamReader } from '../../conformance/runner/xml.ts'
import type { XmlElement } from '../../conformance/runner/xml.ts'

export type TransportKind = 'tls' | 'websocket'

const NS_SASL2 = 'urn:xmpp:sasl:2'

interface Stream {
  send (xml: string): unknown
  /** Begins a stream and reads up to its features. */
  open (): Promise<XmlElement>
  next (): Promise<XmlElement>
  /** Gone without a word. */
  destroy (): void
}

export class Wire {
  readonly #stream: Stream

  private constructor (stream: Stream) {
    this.#stream = stream
  }

  /** With a stream that has told its features. */
  static async open (kind: TransportKind, target: Target): Promise<Wire> {
    const stream = kind === 'tls'
      ? await Peer.connect({ port: target.tlsPort, isTls: true })
      : await WebSocketStream.connect(target.httpPort)
    await stream.open()
    return new Wire(stream)
  }

  /** Logged in by RFC 6120, and at the features that follow. */
  static async logIn (kind: TransportKind, target: Target, name: string): Promise<Wire> {
    const wire = await Wire.open(kind, target)
    wire.send(auth('PLAIN', plain(name)))
    await wire.expect('success')
    await wire.#stream.open()
    return wire
  }

  /** Logged in, and bound to the resource. */
  static async bind (kind: TransportKind, target: Target, name: string, resource: string): Promise<Wire> {
    const wire = await Wire.logIn(kind, target, name)
    wire.send(`<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>` +
      `<resource>${resource}</resource></bind></iq>`)
    await wire.expect('iq')
    return wire
  }

  /** Logs in by XEP-0388 with that inside the request, and gives the success. */
  async authenticate (name: string, inline: string): Promise<XmlElement> {
    this.send(`<authenticate xmlns='${NS_SASL2}' mechanism='PLAIN'>` +
      `<initial-response>${Buffer.from(plain(name)).toString('base64')}</initial-response>${inline}</authenticate>`)
    return await this.expect('success')
  }

  send (xml: string): void {
    void this.#stream.send(xml)
  }

  says (to: string, body: string): void {
    this.send(`<message xmlns='jabber:client' type='chat' to='${to}'><body>${body}</body></message>`)
  }

  async next (): Promise<XmlElement> {
    return await this.#stream.next()
  }

  /** The next element, which must have this name. */
  async expect (name: string): Promise<XmlElement> {
    const element = await this.next()
    if (element.name !== name) throw new Error(`expected <${name}/>, got ${formatXml(element)}`)
    return element
  }

  /** The bodies of the next messages, whatever else comes between. */
  async bodies (count: number): Promise<readonly string[]> {
    const bodies: string[] = []
    while (bodies.length < count) {
      const body = (await this.next()).children.find(child => child.name === 'body')
      if (body) bodies.push(body.text)
    }
    return bodies
  }

  cut (): void {
    this.#stream.destroy()
  }
}

export function attribute (element: XmlElement | undefined, name: string): string | undefined {
  return element?.attributes.get(name)
}

export function child (element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find(child => child.name === name)
}

/** RFC 4616. */
function plain (name: string): string {
  return `\0${name}\0${PASSWORD}`
}

/** RFC 7395: an element is a message. */
class WebSocketStream implements Stream {
  readonly #socket: WebSocket
  readonly #inbox: XmlElement[] = []
  #arrival = Promise.withResolvers<void>()

  private constructor (socket: WebSocket) {
    this.#socket = socket
    socket.on('message', data => { this.#read(String(data)) })
    socket.on('close', () => {
      this.#arrival.promise.catch(() => {}) // nobody may be waiting
      this.#arrival.reject(new Error('the stream is over'))
    })
    socket.on('error', () => {})
  }

  static async connect (port: number): Promise<WebSocketStream> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, 'xmpp')
    const stream = new WebSocketStream(socket)
    await once(socket, 'open')
    return stream
  }

  send (xml: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(xml)
  }

  async open (): Promise<XmlElement> {
    this.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>")
    for (;;) {
      const element = await this.next()
      if (element.name === 'features') return element
      if (element.name !== 'open') throw new Error(`expected features, got ${formatXml(element)}`)
    }
  }

  async next (): Promise<XmlElement> {
    for (;;) {
      const element = this.#inbox.shift()
      if (element) return element
      await this.#arrival.promise
    }
  }

  destroy (): void {
    this.#socket.terminate()
  }

  #read (xml: string): void {
    new StreamReader({
      element: element => {
        this.#inbox.push(element)
      },
      end: () => {},
    }).write(`<message>${xml}</message>`)
    this.#arrival.resolve()
    this.#arrival = Promise.withResolvers()
  }
}
