/** A component (XEP-0114) that says what a test tells it to, over TCP. */
import { hash } from 'node:crypto'
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { expect } from 'vitest'

export class ScriptedComponent {
  readonly socket: Socket
  /** It answers pings with a result, an error, or not at all. */
  pings: 'result' | 'error' | 'none' = 'result'
  isClosed = false
  #heard = ''
  #pending = ''

  private constructor (port: number) {
    this.socket = createConnection(port, '127.0.0.1')
    this.socket.on('error', () => {}) // the connection is cut
    this.socket.on('close', () => { this.isClosed = true })
    this.socket.on('data', chunk => { this.#take(chunk.toString()) })
  }

  /** Connects, and opens a stream to `domain`. */
  static async opens (port: number, domain: string, ns = 'jabber:component:accept'): Promise<ScriptedComponent> {
    const component = new ScriptedComponent(port)
    component.says(`<stream:stream xmlns='${ns}' xmlns:stream='http://etherx.jabber.org/streams' to='${domain}'>`)
    await component.expectHeard(/<stream:stream [^>]*>/)
    return component
  }

  /** Connects, and proves itself. */
  static async connects (port: number, domain: string, secret = 'secret'): Promise<ScriptedComponent> {
    const component = await ScriptedComponent.opens(port, domain)
    component.proves(secret)
    await component.expectHeard(/<handshake[^>]*\/>/)
    return component
  }

  proves (secret: string): void {
    const id = /<stream:stream [^>]*id='([^']*)'/.exec(this.#heard)?.[1]
    this.says(`<handshake>${hash('sha1', `${id}${secret}`)}</handshake>`)
  }

  says (xml: string): void {
    this.socket.write(xml)
  }

  /** All that it was sent, pings aside. */
  get heard (): string { return this.#heard }

  async expectHeard (what: string | RegExp): Promise<void> {
    await expect.poll(() => this.#heard, { timeout: 10_000 }).toMatch(what)
  }

  async expectClosed (): Promise<void> {
    await expect.poll(() => this.isClosed, { timeout: 10_000 }).toBe(true)
  }

  /** It is gone without a word. */
  cuts (): void {
    this.socket.destroy()
  }

  #take (text: string): void {
    this.#pending += text
    for (;;) {
      const ping = /<iq from='([^']*)' to='([^']*)' id='([^']*)' type='get'><ping xmlns='urn:xmpp:ping'\/><\/iq>/.exec(this.#pending)
      if (!ping) break
      this.#pending = this.#pending.replace(ping[0], '')
      const [, from, to, id] = ping
      if (this.pings === 'result') this.says(`<iq from='${to}' to='${from}' id='${id}' type='result'/>`)
      if (this.pings === 'error') {
        this.says(`<iq from='${to}' to='${from}' id='${id}' type='error'><error type='cancel'>` +
          "<feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
      }
    }
    if (/<[^>]*$|type='get'>(<ping [^>]*>)?$/.test(this.#pending)) return // the rest may be on its way
    this.#heard += this.#pending
    this.#pending = ''
    if (this.#heard.endsWith('</stream:stream>')) this.socket.end('</stream:stream>')
  }
}
