/**
 * Transport over TCP, plain or with TLS. All writes of one turn of the event loop are one write to the socket. The
 * listeners are shared by all connections, and there is no timer per connection, so that idle ones stay small.
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { ignore } from '../util/ignore.ts'
import { Deadlines } from './deadlines.ts'
import { peerAddress } from './proxy-protocol.ts'
import type { Shaped, Shaper } from './shaper.ts'
import { TlsInfo } from './tls.ts'
import type { TlsRole } from './tls.ts'
import type { SecureInfo, Transport } from './transport.ts'
import type { WriteBarrier } from './write-barrier.ts'
import { WriteQueue } from './write-queue.ts'
import type { Outlet, Part } from './write-queue.ts'

/** The timeouts of the TLS handshake, and of the peer's close after ours. */
const HANDSHAKE_MS = 15_000
const FAREWELL_MS = 5_000

const TRANSPORT = Symbol('transport')

interface Carrier extends Socket { readonly [TRANSPORT]: TcpTransport }
interface SecureCarrier extends TLSSocket { readonly [TRANSPORT]: TcpTransport }

/** Shared by the connections of a listener, or of one connection to another server. */
export interface TcpOptions {
  readonly barrier: WriteBarrier
  readonly tls?: TlsRole | undefined
  readonly shaper?: Shaper | undefined
}

/** A connection. When the peer closes its side, answers written in the same turn still leave. */
export class TcpTransport implements Transport, Shaped, Outlet {
  static readonly #listeners = {
    data (this: Carrier, chunk: Buffer): void { this[TRANSPORT].#take(chunk) },
    end (this: Carrier): void { this[TRANSPORT].close() },
    drain (this: Carrier): void { this[TRANSPORT].#queue.pump() },
    error (this: Carrier, error: Error): void { this[TRANSPORT].#reason ??= error },
    close (this: Carrier): void { this[TRANSPORT].#finish() },
    secure (this: SecureCarrier): void { this[TRANSPORT].#secured(this) },
    // Node emits this for an error after the handshake, and leaves the connection open.
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
    if (this.#handshake) return this.destroy() // nothing can be written during the handshake
    this.#isClosing = true
    // A peer that has closed its side may be gone at the end of the turn.
    if (!this.#options.barrier.isWaiting) this.#queue.flush()
    this.#queue.end()
    // Reads on to the peer's close, behind its unread bytes.
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

  /** Every pause needs its own resume: the shaper and the stream may both pause. */
  pause (): void {
    if (this.#pauses++ === 0) this.#socket.pause()
  }

  resume (): void {
    if (this.#pauses > 0 && --this.#pauses === 0) this.#socket.resume()
  }

  /** Rejects when the handshake fails; `onClose` follows. Earlier writes leave unencrypted. */
  startTls (host: string): Promise<void> {
    const { tls } = this.#options
    if (!tls || this.#secure || this.#handshake || this.#isClosing || this.#socket.destroyed) {
      return Promise.reject(new Error('TLS can not start on this connection'))
    }
    this.#queue.sendAll()
    this.#unlisten(this.#socket)
    this.#socket.pause() // bytes behind a PROXY header belong to TLS
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
    this.#secure = new TlsInfo(socket, this.#options.tls?.authorities)
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

// Strings are mostly short opening tags: one buffer for them and the stanzas' bytes saves writes.
function join (parts: readonly Part[]): Part {
  const [first] = parts
  if (parts.length === 1 && first !== undefined) return first
  let length = 0
  for (const part of parts) length += typeof part === 'string' ? Buffer.byteLength(part) : part.length
  const joined = Buffer.allocUnsafe(length)
  let at = 0
  for (const part of parts) {
    if (typeof part === 'string') {
      at += joined.write(part, at)
    } else {
      joined.set(part, at)
      at += part.length
    }
  }
  return joined
}
