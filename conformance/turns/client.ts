/**
 * A client that costs its own process little, whatever it is sent: it looks for answers to its requests in the bytes
 * and keeps nothing of the rest.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { scramSha1 } from '../runner/scram.ts'

export interface Address { readonly port: number }

export const PASSWORD = 'secret'

const HEADER = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client'" +
  " xmlns:stream='http://etherx.jabber.org/streams'>"
const SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
/** An opening tag is looked for in so much of what came last. */
const TAIL = 2_000

interface Wanted {
  readonly pattern: RegExp
  readonly resolve: (match: RegExpExecArray) => void
  readonly reject: (error: Error) => void
}

export class Client {
  readonly #socket: Socket
  readonly #wanted = new Set<Wanted>()
  #tail = ''
  #ended: Error | undefined
  #nextId = 0
  /** Bytes that came. */
  received = 0

  private constructor (socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => { this.#take(text) })
    socket.on('error', () => {})
    socket.on('close', () => { this.#end('the server closed the connection') })
  }

  /** With a stream that has told its features. */
  static async open ({ port }: Address): Promise<Client> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const client = new Client(socket)
    await client.#open()
    return client
  }

  static async logIn (address: Address, local: string, resource: string): Promise<Client> {
    const client = await Client.open(address)
    await client.authenticate(local)
    await client.bind(resource)
    return client
  }

  get hasEnded (): boolean {
    return this.#ended !== undefined
  }

  send (xml: string): void {
    this.#socket.write(xml)
  }

  /** Resolves when this has come; rejects when the stream ends before. */
  until (pattern: RegExp): Promise<RegExpExecArray> {
    if (this.#ended) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => { this.#wanted.add({ pattern, resolve, reject }) })
  }

  /** Sends a request and gives the type of its answer. */
  async ask (type: 'get' | 'set', payload: string, to?: string): Promise<'result' | 'error'> {
    const id = `ask${this.#nextId++}`
    const answer = this.until(new RegExp(`<iq(?=[^>]* id=['"]${id}['"])[^>]* type=['"](result|error)['"]`))
    this.send(`<iq type='${type}' id='${id}'${to === undefined ? '' : ` to='${to}'`}>${payload}</iq>`)
    return (await answer)[1] === 'result' ? 'result' : 'error'
  }

  /** The same, where nothing makes sense if it is refused. */
  async must (type: 'get' | 'set', payload: string, to?: string): Promise<void> {
    if (await this.ask(type, payload, to) === 'error')
      throw new Error(`refused: ${payload.slice(0, 300)}\n${this.#tail.slice(0, 600)}`)
  }

  /** Resolves when all that was sent before has been dealt with. */
  async ping (): Promise<void> {
    await this.ask('get', "<ping xmlns='urn:xmpp:ping'/>", 'localhost')
  }

  async register (local: string): Promise<void> {
    await this.must(
      'set',
      `<query xmlns='jabber:iq:register'><username>${local}</username><password>${PASSWORD}</password></query>`,
    )
  }

  async authenticate (local: string): Promise<void> {
    const scram = scramSha1(local, PASSWORD)
    const challenge = this.until(/<challenge[^>]*>([^<]*)</)
    this.send(`<auth ${SASL} mechanism='SCRAM-SHA-1'>${encode(scram.first)}</auth>`)
    const { final } = scram.answer(Buffer.from((await challenge)[1] ?? '', 'base64').toString())
    const success = this.until(/<success/)
    this.send(`<response ${SASL}>${encode(final)}</response>`)
    await success
    await this.#open()
  }

  async bind (resource: string): Promise<void> {
    await this.must('set', `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind>`)
  }

  stopReading (): void {
    this.#socket.pause()
  }

  resumeReading (): void {
    this.#socket.resume()
  }

  /** Ends the stream in good order. */
  async close (): Promise<void> {
    if (this.#ended) return
    const closed = once(this.#socket, 'close')
    this.#socket.end('</stream:stream>')
    await closed
  }

  /** Gone without a word. */
  async cut (): Promise<void> {
    if (this.#ended) return
    const closed = once(this.#socket, 'close')
    this.#socket.destroy()
    await closed
  }

  async #open (): Promise<void> {
    this.#tail = ''
    const features = this.until(/<\/stream:features>/)
    this.send(HEADER)
    await features
  }

  #take (text: string): void {
    this.received += text.length
    this.#tail += text
    for (const wanted of this.#wanted) {
      const match = wanted.pattern.exec(this.#tail)
      if (!match) continue
      this.#wanted.delete(wanted)
      wanted.resolve(match)
    }
    if (this.#tail.length > TAIL) this.#tail = this.#tail.slice(-TAIL)
  }

  #end (reason: string): void {
    this.#ended ??= new Error(`${reason}: ${this.#tail}`)
    for (const { reject } of this.#wanted) reject(this.#ended)
    this.#wanted.clear()
  }
}

function encode (text: string): string {
  return Buffer.from(text).toString('base64')
}
