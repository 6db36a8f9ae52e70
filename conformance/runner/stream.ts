/** An XML stream over TCP or TLS, opened in either direction: what is sent is text, what comes elements. */
import type { Socket } from 'node:net'
import { formatXml, StreamReader, type XmlElement } from './xml.ts'

const PATIENCE_MS = 5_000

export class Stream {
  readonly #patienceMs: number
  readonly #inbox: XmlElement[] = []
  #socket: Socket
  #reader: StreamReader
  #wake: (() => void) | undefined
  #ended: string | undefined
  /** The peer's last header. */
  header: XmlElement | undefined
  /** Called for each header of the peer's. */
  onHeader: () => void = () => {}

  /** How long to wait for what should come, in milliseconds; five seconds unless given. */
  constructor (socket: Socket, patienceMs = PATIENCE_MS) {
    this.#socket = socket
    this.#patienceMs = patienceMs
    this.#reader = this.#read()
    this.#listen()
  }

  /** Whether nothing more can come. */
  get isOver (): boolean {
    return this.#ended !== undefined && this.#inbox.length === 0
  }

  send (xml: string): void {
    this.#socket.write(xml)
  }

  /** Adds what came in another way. */
  add (element: XmlElement): void {
    this.#inbox.push(element)
    this.#wake?.()
  }

  /** The next element, in the order they came; rejects when the stream is over or nothing comes in time. */
  async receive (): Promise<XmlElement> {
    if (this.#inbox.length === 0 && this.#ended === undefined) await this.#arrival()
    const element = this.#inbox.shift()
    if (element) return element
    throw new Error(this.#ended ?? 'nothing came')
  }

  async expect (name: string): Promise<XmlElement> {
    const element = await this.receive()
    if (element.name !== name) throw new Error(`expected <${name}/>, got ${formatXml(element)}`)
    return element
  }

  /** What comes next is a new header. */
  restart (): void {
    this.#reader = this.#read()
  }

  /** Goes on over the socket that `secure` makes of this one. */
  startTls (secure: (socket: Socket) => Socket): void {
    this.#socket.removeAllListeners()
    this.#socket = secure(this.#socket)
    this.#listen()
    this.restart()
  }

  /** Closes the stream and waits until the peer has closed it too. */
  async close (): Promise<void> {
    if (this.#ended === undefined) this.#socket.end('</stream:stream>')
    while (this.#ended === undefined) await this.#arrival()
    this.destroy()
  }

  destroy (): void {
    this.#socket.destroy()
  }

  #arrival (): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => { reject(new Error(`nothing came in ${this.#patienceMs / 1000} s`)) }, this.#patienceMs)
    this.#wake = () => {
      clearTimeout(timer)
      resolve()
    }
    return promise
  }

  #read (): StreamReader {
    return new StreamReader({
      header: header => {
        this.header = header
        this.onHeader()
      },
      element: element => { this.add(element) },
      end: () => { this.#end('the server closed the stream') },
    })
  }

  #listen (): void {
    this.#socket.setEncoding('utf8')
    this.#socket.on('data', (text: string) => {
      try {
        this.#reader.write(text)
      } catch (error) {
        this.#end(`what the server sent is no XML: ${String(error)}`)
      }
    })
    this.#socket.on('error', error => { this.#end(error.message) })
    this.#socket.on('close', () => { this.#end('the connection was closed') })
  }

  #end (reason: string): void {
    this.#ended ??= reason
    this.#wake?.()
  }
}
