/** Another server's connection to the server under test: it writes XML as text and reads what comes. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { CertificatePair } from '../../../src/net/self-signed.ts'

const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'

export class ServerWire {
  #socket: Socket
  #unread = ''
  #isClosed = false
  #arrival: () => void = () => {}
  readonly #local: string
  readonly #remote: string

  private constructor (socket: Socket, local: string, remote: string) {
    this.#socket = socket
    this.#local = local
    this.#remote = remote
    this.#listen()
  }

  /** A connection of the server of `local` to that of `remote`. */
  static async connect (port: number, local: string, remote: string): Promise<ServerWire> {
    const socket = connect({ port, host: '127.0.0.1' })
    await once(socket, 'connect')
    return new ServerWire(socket, local, remote)
  }

  #listen (): void {
    this.#socket.setEncoding('utf8')
      .on('data', (text: string) => {
        this.#unread += text
        this.#arrival()
      })
      .on('close', () => {
        this.#isClosed = true
        this.#arrival()
      })
      .on('error', () => {})
  }

  send (xml: string): void {
    this.#socket.write(xml)
  }

  destroy (): void { this.#socket.destroy() }
  stopReading (): void { this.#socket.pause() }

  header ({ from = this.#local, to = this.#remote, attributes = "version='1.0'" } = {}): string {
    return `<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' ` +
      `xmlns:stream='http://etherx.jabber.org/streams' from='${from}' to='${to}' ${attributes}>`
  }

  /** Gives what answers it, up to the features. */
  async opens (): Promise<string> {
    this.send(this.header())
    return this.expectHeard('</stream:features>')
  }

  /** STARTTLS with this certificate, and the header of the stream after it, unless it is left out. */
  async secures (pair: Partial<CertificatePair> = {}): Promise<void> {
    await this.opens()
    this.send(`<starttls xmlns='${NS_TLS}'/>`)
    await this.expectHeard(`<proceed xmlns='${NS_TLS}'/>`)
    await this.startsTls(pair)
  }

  /** The handshake. */
  async startsTls ({ certificate, key }: Partial<CertificatePair>): Promise<void> {
    this.#socket.removeAllListeners()
    const socket = this.#socket = connectTls({
      socket: this.#socket, servername: this.#remote, rejectUnauthorized: false, cert: certificate, key,
    })
    await once(socket, 'secureConnect')
    this.#listen()
  }

  /** STARTTLS and SASL EXTERNAL, up to the features of the stream after them. */
  async proves (pair: CertificatePair, before = ''): Promise<string> {
    await this.secures(pair)
    await this.opens()
    this.send(`${before}<auth xmlns='${NS_SASL}' mechanism='EXTERNAL'>=</auth>`)
    await this.expectHeard(`<success xmlns='${NS_SASL}'/>`)
    return this.opens()
  }

  /** What came up to and with this text; rejects when the connection closes without it. */
  async expectHeard (text: string): Promise<string> {
    let at = this.#unread.indexOf(text)
    while (at < 0) {
      if (this.#isClosed) throw new Error(`closed before ${text}: ${this.#unread.slice(-500)}`)
      await new Promise<void>(resolve => { this.#arrival = resolve })
      at = this.#unread.indexOf(text)
    }
    const heard = this.#unread.slice(0, at + text.length)
    this.#unread = this.#unread.slice(heard.length)
    return heard
  }

  /** All that comes until the connection is closed. */
  async untilClosed (): Promise<string> {
    while (!this.#isClosed) await new Promise<void>(resolve => { this.#arrival = resolve })
    return this.#unread
  }
}
