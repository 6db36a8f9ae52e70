/**
 * Transport over TCP, in the clear or under TLS. What one turn of the event loop writes leaves in one write. The
 * socket's listeners are shared by all connections, and there is no timer per connection: idle ones must stay small.
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { ignore } from '../util/ignore.ts'
import { Deadlines } from './deadlines.ts'
import { peerAddress } from './proxy-protocol.ts'
import type { Shaped, Shaper } from './shaper.ts'
import { TlsInfo } from './tls.ts'
import type { TlsServer } from './tls.ts'
import type { SecureInfo, Transport } from './transport.ts'
import type { WriteBarrier } from './write-barrier.ts'
import { WriteQueue } from './write-queue.ts'
import type { Outlet, Part } from './write-queue.ts'

/** How long a peer may take for the TLS handshake, and for closing its side once we have closed ours. */
const HANDSHAKE_MS = 15_000
const FAREWELL_MS = 5_000

const TRANSPORT = Symbol('transport')

interface Carrier extends Socket { readonly [TRANSPORT]: TcpTransport }
interface SecureCarrier extends TLSSocket { readonly [TRANSPORT]: TcpTransport }

/** What the connections of a listener share. */
export interface TcpOptions {
  readonly barrier: WriteBarrier
  readonly tls?: TlsServer | undefined
  readonly shaper?: Shaper | undefined
}

/** A connection. A peer that ends its side is answered what it had asked in the same turn. */
export class TcpTransport implements Transport, Shaped, Outlet {
  static readonly #listeners = {
    data (this: Carrier, chunk: Buffer): void { this[TRANSPORT].#take(chunk) },
    end (this: Carrier): void { this[TRANSPORT].close() },
    drain (this: Carrier): void { this[TRANSPORT].#queue.pump() },
    error (this: Carrier, error: Error): void { this[TRANSPORT].#reason ??= error },
    close (this: Carrier): void { this[TRANSPORT].#finish() },
    secure (this: SecureCarrier): void { this[TRANSPORT].#secured(this) },
    // Node says this of an error after the handshake, and leaves the connection open.
    tlsError (this: Carrier, error: Error): void { this.destroy(error) },
  }

  static readonly #handshakes = new Deadlines<TcpTransport>(HANDSHAKE_MS, transport => transport.#expire())
  static readonly #farewells = new Deadlines<TcpTransport>(FAREWELL_MS, transport => transport.destroy())

  readonly kind = 'tcp'
  readonly mayBePlain = false
  readonly remoteAddress: string
  onData: (chunk: Buffer) => void = ignore
  onClose: (reason?: Error) => void = ignore
  paidUntil = 0
  readonly #options: TcpOptions
  #socket: Socket
  #secure: SecureInfo | undefined
  #handshake: PromiseWithResolvers<void> | undefined
  readonly #queue: WriteQueue
  #pauses = 0
  #isClosing = false
  #reason: Error | undefined

  constructor (socket: Socket, options: TcpOptions) {
    this.#options = options
    this.#queue = new WriteQueue(this, options.barrier)
    this.#socket = socket
    this.remoteAddress = peerAddress(socket) ?? ''
    this.#listen(socket)
  }

  get secure (): SecureInfo | undefined {
    return this.#secure
  }

  get bufferedBytes (): number {
    return this.#queue.bytes + this.#socket.writableLength
  }

  get sentBytes (): number {
    return this.#queue.sent
  }

  drained (): Promise<void> | undefined {
    return this.#queue.drained()
  }

  write (data: Part): void {
    if (!this.#isClosing) this.#queue.write(data)
  }

  get isBlocked (): boolean {
    return this.#socket.writableNeedDrain
  }

  send (parts: readonly Part[]): void {
    if (this.#socket.writable) this.#socket.write(join(parts))
  }

  end (): void {
    this.#socket.end()
  }

  close (): void {
    if (this.#isClosing) return
    if (this.#handshake) return this.destroy() // nothing can be said any more
    this.#isClosing = true
    if (!this.#queue.isHeld) this.#queue.flush() // a peer that has ended its side may not be there at the end of the turn
    this.#queue.end()
    // The peer's end comes after what it had still sent.
    this.#pauses = 0
    this.#socket.resume()
    TcpTransport.#farewells.add(this)
  }

  destroy (): void {
    this.#isClosing = true
    this.#queue.drop()
    this.#socket.destroy()
  }

  charge (bytes: number): void {
    if (!this.#isClosing) this.#options.shaper?.charge(this, bytes)
  }

  /** Every pause needs a resume of its own: the shaper and the stream may both hold it. */
  pause (): void {
    if (this.#pauses++ === 0) this.#socket.pause()
  }

  resume (): void {
    if (this.#pauses > 0 && --this.#pauses === 0) this.#socket.resume()
  }

  /** Rejects when the handshake fails; `onClose` follows. What was written before leaves in the clear. */
  startTls (host: string): Promise<void> {
    const { tls } = this.#options
    if (!tls || this.#secure || this.#handshake || this.#isClosing || this.#socket.destroyed) {
      return Promise.reject(new Error('TLS can not start on this connection'))
    }
    this.#queue.sendAll()
    this.#unlisten(this.#socket)
    this.#socket.pause() // what came right behind a PROXY header is TLS's to read
    const socket = tls.wrap(this.#socket, host)
    this.#socket = socket
    this.#listen(socket)
    if (this.#pauses > 0) socket.pause()
    socket.once('secure', TcpTransport.#listeners.secure).on('_tlsError', TcpTransport.#listeners.tlsError)
    TcpTransport.#handshakes.add(this)
    this.#handshake = Promise.withResolvers()
    return this.#handshake.promise
  }

  #listen (socket: Socket): void {
    const { data, end, drain, error, close } = TcpTransport.#listeners
    Object.assign(socket, { [TRANSPORT]: this })
      .on('data', data).on('end', end).on('drain', drain).on('error', error).on('close', close)
  }

  #unlisten (socket: Socket): void {
    const { data, end, drain, error, close } = TcpTransport.#listeners
    socket.off('data', data).off('end', end).off('drain', drain).off('error', error).off('close', close)
  }

  #take (chunk: Buffer): void {
    this.#options.shaper?.charge(this, chunk.length)
    if (!this.#isClosing) this.onData(chunk)
  }

  #secured (socket: TLSSocket): void {
    TcpTransport.#handshakes.delete(this)
    this.#secure = new TlsInfo(socket)
    this.#handshake?.resolve()
    this.#handshake = undefined
  }

  #expire (): void {
    this.#reason ??= new Error('the TLS handshake took too long')
    this.destroy()
  }

  #finish (): void {
    TcpTransport.#handshakes.delete(this)
    TcpTransport.#farewells.delete(this)
    this.#isClosing = true
    this.#queue.drop()
    this.#handshake?.reject(this.#reason ?? new Error('the connection closed during the handshake'))
    this.#handshake = undefined
    this.onClose(this.#reason)
  }
}

// Strings are mostly short opening tags; one buffer takes them and the stanzas' bytes together.
function join (parts: readonly Part[]): Part {
  const [first] = parts
  if (parts.length === 1 && first !== undefined) return first
  let length = 0
  for (const part of parts) length += typeof part === 'string' ? Buffer.byteLength(part) : part.length
  const joined = Buffer.allocUnsafe(length)
  let at = 0
  for (const part of parts) at += typeof part === 'string' ? joined.write(part, at) : part.copy(joined, at)
  return joined
}
