/**
 * A client's managed stream (XEP-0198) that comes back whenever it breaks: with the same session where the server still
 * has it, with a new one where not.
 */
import { setTimeout } from 'node:timers/promises'
import { Client } from '../../conformance/runner/client.ts'
import type { XmlElement } from '../../conformance/runner/xml.ts'

export interface Account { readonly jid: string, readonly port: number }

/** A session that goes on, or a new one, and how many of the client's stanzas in it the server has. */
export interface Opened { readonly isNew: boolean, readonly taken: number }

export const PASSWORD = 'secret'
/** The time for an answer on a machine that is busy. */
export const ANSWER_MS = 20_000

const NS_SM = 'urn:xmpp:sm:3'
const RETRY_MS = 50
const STANZAS: ReadonlySet<string> = new Set(['message', 'presence', 'iq'])

export class Line {
  readonly #account: Account
  readonly #resource: string
  readonly #seconds: number | undefined
  #client: Client | undefined
  #session: { readonly id: string, received: number } | undefined
  #isOver = false
  /** How many sessions it had. */
  sessions = 0
  /** How often a session went on with another stream. */
  resumed = 0

  /** `seconds`: how long its sessions are to wait for it, where the server need not decide. */
  constructor (account: Account, resource: string, seconds?: number) {
    this.#account = account
    this.#resource = resource
    this.#seconds = seconds
  }

  /** Connects, as often as it takes; undefined when it has been hung up. */
  async open (): Promise<Opened | undefined> {
    const { jid, port } = this.#account
    while (!this.#isOver) {
      try {
        this.#client = await Client.logIn({ port, tls: false }, { jid, password: PASSWORD, resource: this.#resource })
        if (!this.#isOver) return await this.#resume(this.#client) ?? await this.#begin(this.#client)
      } catch { // refused, cut off, or not ready
        await setTimeout(RETRY_MS)
      }
      this.#client?.destroy()
    }
  }

  send (xml: string): void {
    this.#client?.send(xml)
  }

  /** Asks how much the server has; an `<a/>` will answer. */
  ask (): void {
    this.send(`<r xmlns='${NS_SM}'/>`)
  }

  /** The next element; what the server asks is answered. Rejects when the stream is broken, or silent for long. */
  async receive (): Promise<XmlElement> {
    if (!this.#client || !this.#session) throw new Error('the line is not open')
    for (;;) {
      const element = await this.#client.receive()
      if (STANZAS.has(element.name)) this.#session.received++
      if (element.name !== 'r') return element
      this.send(`<a xmlns='${NS_SM}' h='${this.#session.received}'/>`)
    }
  }

  /** Gives up a stream that is broken. */
  drop (): void {
    this.#client?.destroy()
  }

  /** Closes the stream and the session, and does not come back. */
  async close (): Promise<void> {
    this.#isOver = true
    await this.#client?.disconnect()
  }

  /** Does not come back, and says nothing. */
  hangUp (): void {
    this.#isOver = true
    this.#client?.destroy()
  }

  // §5.
  async #resume (client: Client): Promise<Opened | undefined> {
    if (!this.#session) return
    const { id, received } = this.#session
    client.send(`<resume xmlns='${NS_SM}' previd='${id}' h='${received}'/>`)
    const answer = await client.receive()
    if (answer.name === 'failed') return
    if (answer.name !== 'resumed') throw new Error(`<resume/> was answered by <${answer.name}/>`)
    this.resumed++
    return { isNew: false, taken: Number(answer.attributes.get('h')) }
  }

  // §3.
  async #begin (client: Client): Promise<Opened> {
    this.#session = undefined
    await client.bind()
    client.send(
      `<enable xmlns='${NS_SM}' resume='true'${this.#seconds === undefined ? '' : ` max='${this.#seconds}'`}/>`,
    )
    let answer = await client.receive()
    while (answer.name !== 'enabled') answer = await client.receive()
    this.#session = { id: answer.attributes.get('id') ?? '', received: 0 }
    this.sessions++
    return { isNew: true, taken: 0 }
  }
}
