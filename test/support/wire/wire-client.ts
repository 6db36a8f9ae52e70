/** A client on a real connection, TCP or WebSocket: it writes XML as text and reads what comes, at its own pace. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { WebSocket } from 'ws'
import { ScramClient } from './scram-client.ts'

export const PASSWORD = 'secret'

const TCP_HEADER = "<stream:stream to='localhost' version='1.0' xmlns='jabber:client'" +
  " xmlns:stream='http://etherx.jabber.org/streams' xml:lang='en'>"
const OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0' xml:lang='en'/>"
const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const NS_SASL2 = 'urn:xmpp:sasl:2'

interface Wire {
  readonly header: string
  send (text: string): void
  sendBytes (bytes: Buffer, isBinary: boolean): void
  pause (): void
  resume (): void
  destroy (): void
}

export class WireClient {
  readonly #wire: Wire
  #unread = ''
  #isClosed = false
  #arrival: () => void = () => {}

  private constructor (makeWire: (heard: (text: string) => void, closed: () => void) => Wire) {
    this.#wire = makeWire(text => {
      this.#unread += text
      this.#arrival()
    }, () => {
      this.#isClosed = true
      this.#arrival()
    })
  }

  static async tcp (port: number): Promise<WireClient> {
    const socket = connect({ port, host: '127.0.0.1' }).setEncoding('utf8')
    const client = new WireClient((heard, closed) => {
      socket.on('data', heard).on('close', closed).on('error', () => {})
      return {
        header: TCP_HEADER,
        send: text => { socket.write(text) },
        sendBytes: bytes => { socket.write(bytes) },
        pause: () => { socket.pause() },
        resume: () => { socket.resume() },
        destroy: () => { socket.destroy() },
      }
    })
    await once(socket, 'connect')
    return client
  }

  /** What it hears has a line's end behind each message. */
  static async webSocket (port: number): Promise<WireClient> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, 'xmpp')
    const client = new WireClient((heard, closed) => {
      socket.on('message', (data: Buffer) => {
        heard(`${data.toString()}\n`)
      }).on('close', closed).on('error', () => {})
      return {
        header: OPEN,
        send: text => { socket.send(text) },
        sendBytes: (bytes, binary) => { socket.send(bytes, { binary }) },
        pause: () => { socket.pause() },
        resume: () => { socket.resume() },
        destroy: () => { socket.terminate() },
      }
    })
    await once(socket, 'open')
    return client
  }

  /** On a WebSocket, one element. */
  send (xml: string): void {
    this.#wire.send(xml)
  }

  /** Bytes as they are; on a WebSocket, a message that says of itself what it is. */
  sendBytes (bytes: Buffer, isBinary = false): void {
    this.#wire.sendBytes(bytes, isBinary)
  }

  stopReading (): void { this.#wire.pause() }
  readOn (): void { this.#wire.resume() }
  destroy (): void { this.#wire.destroy() }

  /** What came up to and with this text; rejects when the connection closes without it. */
  async expectHeard (text: string): Promise<string> {
    let at = this.#unread.indexOf(text)
    while (at < 0) {
      if (this.#isClosed) throw new Error(`closed before ${text}: ${this.#unread.slice(-500)}`)
      const searched = this.#unread.length - text.length
      await new Promise<void>(resolve => { this.#arrival = resolve })
      at = this.#unread.indexOf(text, searched)
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

  async opens (): Promise<string> {
    this.send(this.#wire.header)
    return this.expectHeard('</stream:features>')
  }

  /** RFC 6120 §6, up to the features of the stream after it. */
  async logsIn (user: string): Promise<string> {
    await this.opens()
    const scram = new ScramClient({ digest: 'sha1', user, password: PASSWORD, nonce: 'abcdefgh' })
    this.send(`<auth xmlns='${NS_SASL}' mechanism='SCRAM-SHA-1'>${scram.first().toString('base64')}</auth>`)
    const challenge = /<challenge[^>]*>([^<]*)</.exec(await this.expectHeard('</challenge>'))?.[1] ?? ''
    const final = scram.final(Buffer.from(challenge, 'base64')).toString('base64')
    this.send(`<response xmlns='${NS_SASL}'>${final}</response>`)
    await this.expectHeard('</success>')
    return this.opens()
  }

  /** RFC 6120 §7: gives what answers it. */
  async binds (resource: string): Promise<string> {
    this.send(`<iq type='set' id='bind' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>` +
      `<resource>${resource}</resource></bind></iq>`)
    return this.expectHeard('</iq>')
  }

  /**
   * XEP-0388, on a WebSocket, with what is to be done besides: gives the success, and the features if it is asked for
   * them.
   */
  async authenticates (user: string, inline: string): Promise<string> {
    await this.opens()
    const initial = Buffer.from(`\0${user}\0${PASSWORD}`).toString('base64')
    this.send(`<authenticate xmlns='${NS_SASL2}' mechanism='PLAIN'><initial-response>${initial}</initial-response>` +
      `<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>${inline}</authenticate>`)
    return this.expectHeard('</success>')
  }
}
