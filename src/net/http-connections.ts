/**
 * Connections to the HTTP port before they are a WebSocket, if they ever are: none that says nothing stays, and one
 * address has no more of them than of streams.
 */
import type { Socket } from 'node:net'
import { isLoopback } from './addresses.ts'
import type { AddressLimit } from './addresses.ts'
import { Deadlines } from './deadlines.ts'
import { isFromBalancer, peerAddress } from './proxy-protocol.ts'

export class HttpConnections {
  readonly #limit: AddressLimit | undefined
  readonly #silent: Deadlines<Socket>
  readonly #counted = new Map<Socket, string>()

  /** Who has said nothing for `silenceMs` to twice as long is cut. */
  constructor (limit: AddressLimit | undefined, silenceMs: number) {
    this.#limit = limit
    this.#silent = new Deadlines(silenceMs, socket => socket.destroy())
  }

  /** A new one; beyond its address's limit it is closed. */
  opened (socket: Socket): void {
    const address = peerAddress(socket)
    // A reverse proxy on this machine speaks for many.
    if (address !== undefined && this.#limit && (!isLoopback(address) || isFromBalancer(socket))) {
      if (!this.#limit.take(address)) {
        socket.destroy()
        return
      }
      this.#counted.set(socket, address)
    }
    this.#silent.add(socket)
    socket.once('close', () => {
      this.#silent.delete(socket)
      this.left(socket)
    })
  }

  /** It has made a request. */
  spoke (socket: Socket): void {
    this.#silent.delete(socket)
  }

  /** It is none of these any more, and counts for itself where it counts. */
  left (socket: Socket): void {
    const address = this.#counted.get(socket)
    this.#counted.delete(socket)
    if (address !== undefined) this.#limit?.release(address)
  }
}
