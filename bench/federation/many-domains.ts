/**
 * A server of all domains below one, which others send to: direct TLS, SASL EXTERNAL without a look at the certificate,
 * and acknowledgements (XEP-0198). It parses nothing, and sends nothing of its own.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import type { Server, TLSSocket } from 'node:tls'
import type { Authority } from '../../test/support/authority.ts'

const HEADER = "<?xml version='1.0'?><stream:stream xmlns='jabber:server' version='1.0' id='bench' " +
  "xmlns:stream='http://etherx.jabber.org/streams'>"
const MECHANISMS = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>"
const SM = "xmlns='urn:xmpp:sm:3'"
const TAGS = /<(stream:stream|auth|enable|message|r)[ >]/g

export class ManyDomains implements AsyncDisposable {
  messages = 0
  readonly #server: Server
  readonly #sockets = new Set<TLSSocket>()

  private constructor (server: Server) {
    this.#server = server
    server.on('secureConnection', socket => { this.#serve(socket) })
  }

  static async start (authority: Authority, domain: string): Promise<ManyDomains> {
    const { certificate: cert, key } = authority.issue({ hosts: [`*.${domain}`] })
    const server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false, ALPNProtocols: ['xmpp-server'] })
    const domains = new ManyDomains(server)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return domains
  }

  get port (): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Closes all streams. */
  disconnect (): void {
    for (const socket of this.#sockets) socket.end('</stream:stream>')
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => { this.#server.close(resolve) })
  }

  #serve (socket: TLSSocket): void {
    let [isProven, stanzas, rest] = [false, 0, '']
    const answers: Readonly<Record<string, () => string>> = {
      'stream:stream': () => `${HEADER}<stream:features>${isProven ? `<sm ${SM}/>` : MECHANISMS}</stream:features>`,
      'auth': () => {
        isProven = true
        return "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
      },
      'enable': () => `<enabled ${SM}/>`,
      'message': () => {
        stanzas++
        this.messages++
        return ''
      },
      'r': () => `<a ${SM} h='${stanzas}'/>`,
    }
    this.#sockets.add(socket)
    socket.setEncoding('utf8').on('close', () => { this.#sockets.delete(socket) }).on('error', () => {})
    socket.on('data', (text: string) => {
      const all = rest + text
      const whole = all.slice(0, all.lastIndexOf('>') + 1)
      rest = all.slice(whole.length)
      for (const [, tag = ''] of whole.matchAll(TAGS)) socket.write(answers[tag]?.() ?? '')
    })
  }
}
