/**
 * One client stream that costs its process little, so that the server is what is measured: no XML parser, all plain
 * sockets read into one buffer, and what follows the login is handed on as bytes.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface Target { readonly port: number, readonly domain: string, readonly tls: boolean }

interface Wanted {
  readonly test: (text: string) => boolean
  readonly resolve: (text: string) => void
  readonly reject: (error: Error) => void
}

const CHUNK = Buffer.allocUnsafe(64 * 1024)
/** How long a server may take to end its half of a stream. */
const CLOSE_TIMEOUT = 5000
const REFUSALS = /<failure[ >]|<stream:error[ >]|type=['"]error['"]/

export class Client {
  /** Gets every chunk once it is set; the bytes are lent until it returns. */
  onBytes: ((bytes: Buffer) => void) | undefined
  #socket: Socket
  #text = ''
  #wanted: Wanted | undefined
  #lost: Error | undefined

  constructor (target: Target) {
    const onread = { buffer: CHUNK, callback: (length: number) => this.#take(CHUNK.subarray(0, length)) }
    const to = { host: '127.0.0.1', port: target.port, noDelay: true }
    this.#socket = target.tls ? connect(to).on('data', chunk => this.#take(chunk)) : connect({ ...to, onread })
    this.#watch()
  }

  write (data: string | Buffer): void {
    this.#socket.write(data)
  }

  /** Writes and resolves with all that came since, as soon as `test` is true of it; rejects on a refusal. */
  ask (data: string, test: (text: string) => boolean): Promise<string> {
    if (this.#lost) return Promise.reject(this.#lost)
    this.#text = ''
    this.#socket.write(data)
    return new Promise((resolve, reject) => { this.#wanted = { test, resolve, reject } })
  }

  /** Takes the socket into TLS; the certificate is not the measurement's business. */
  async secure (domain: string): Promise<void> {
    const secured = connectTls({ socket: this.#socket, servername: domain, rejectUnauthorized: false })
    this.#socket = secured.on('data', chunk => this.#take(chunk))
    this.#watch()
    await new Promise<void>((resolve, reject) => {
      secured.once('secureConnect', resolve)
      secured.once('error', reject)
    })
  }

  /** Ends the stream as a client should, and resolves when the server has ended its half. */
  async close (): Promise<void> {
    this.onBytes = undefined
    this.#socket.setTimeout(CLOSE_TIMEOUT, () => this.#lose(new Error('the server did not end the stream')))
    if (!this.#lost) await this.ask('</stream:stream>', text => text.includes('</stream:stream>')).catch(() => {})
    this.#lost ??= new Error('closed')
    this.#socket.destroy()
  }

  get lost (): boolean {
    return this.#lost !== undefined
  }

  #watch (): void {
    this.#socket.on('error', error => this.#lose(error))
    this.#socket.on('close', () => this.#lose(new Error('the server closed the connection')))
  }

  #lose (error: Error): void {
    this.#lost ??= error
    const wanted = this.#wanted
    this.#wanted = undefined
    wanted?.reject(error)
  }

  #take (bytes: Buffer): boolean {
    if (this.onBytes) this.onBytes(bytes)
    else if (this.#wanted) this.#read(bytes.toString(), this.#wanted)
    return true
  }

  #read (text: string, wanted: Wanted): void {
    this.#text += text
    const refused = REFUSALS.test(this.#text)
    if (!refused && !wanted.test(this.#text)) return
    this.#wanted = undefined
    if (refused) wanted.reject(new Error(`the server refused: ${this.#text}`))
    else wanted.resolve(this.#text)
  }
}
