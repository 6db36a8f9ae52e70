/**
 * Limits of connections to the HTTP port that are no WebSocket: a timeout until the first request, and a number per
 * address.
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

  /** Connections without a request are cut after `silenceMs` to twice that time. */
  constructor (limit: AddressLimit | undefined, silenceMs: number) {
    this.#limit = limit
    this.#silent = new Deadlines(silenceMs, socket => socket.destroy())
  }

  /** Counts a new connection; closes one beyond its address's limit. */
  opened (socket: Socket): void {
    const address = peerAddress(socket)
    // A reverse proxy on this machine serves many clients.
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

  /** Ends the timeout: the connection has made a request. */
  spoke (socket: Socket): void {
    this.#silent.delete(socket)
  }

  /** Stops counting a connection that was closed, or became a WebSocket. */
  left (socket: Socket): void {
    const address = this.#counted.get(socket)
    this.#counted.delete(socket)
    if (address !== undefined) this.#limit?.release(address)
  }
}
