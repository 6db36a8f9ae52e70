/**
 * PROXY protocol: on a port behind balancers each connection begins with a header that contains the client's address.
 * It is accepted from the listed balancers only; any other connection is closed.
 */
import type { Server, Socket } from 'node:net'
import type { Logger } from '../log.ts'
import { plainAddress } from './addresses.ts'
import { Deadlines } from './deadlines.ts'
import { Networks } from './networks.ts'
import { ProxyHeaderError, readProxyHeader } from './proxy-header.ts'
import type { ProxyHeader } from './proxy-header.ts'

/** The timeout of the header: balancers send it with the first packet, which may be retransmitted. */
const HEADER_MS = 3_000
/** One refusal in this time is logged as a warning, so that port scans do not fill the log. */
const QUIET_MS = 10_000

const announced = new WeakMap<Socket, string>()

/** The client's address, by the PROXY header if there is one; undefined where the peer has disconnected. */
export function peerAddress (socket: Socket): string | undefined {
  const address = announced.get(socket) ?? socket.remoteAddress
  return address === undefined ? undefined : plainAddress(address)
}

/** Whether the connection came through a listed balancer. */
export function isFromBalancer (socket: Socket): boolean {
  return announced.has(socket)
}

export interface ProxyGateOptions {
  /** The config key of the port. */
  readonly key: string
  readonly log: Logger
}

/** Reads the header of each connection before the server's own listeners get it. */
export class ProxyGate {
  readonly #balancers: Networks
  readonly #options: ProxyGateOptions
  readonly #waiting = new Set<Socket>()
  readonly #deadlines = new Deadlines<Socket>(HEADER_MS, socket => this.#refuse(socket, 'no PROXY header came in time'))
  #quietUntil = 0

  /** Throws on an invalid network. */
  constructor (balancers: readonly string[], options: ProxyGateOptions) {
    this.#balancers = new Networks(balancers)
    this.#options = options
  }

  /** Passes connections to the listeners of `server` without the header, and with the bytes behind it unread. */
  guard (server: Server): void {
    const listeners = server.listeners('connection')
    server.removeAllListeners('connection').on('connection', (socket: Socket) => {
      this.#meet(socket, () => { for (const listener of listeners) Reflect.apply(listener, server, [socket]) })
    })
  }

  /** Cuts connections whose header is incomplete. */
  close (): void {
    for (const socket of this.#waiting) socket.destroy()
  }

  #meet (socket: Socket, admit: () => void): void {
    const address = peerAddress(socket)
    if (address === undefined) {
      socket.destroy()
      return
    }
    if (!this.#balancers.includes(address)) {
      this.#refuse(socket, 'its address is none of those that proxy-protocol lists')
      return
    }
    let received: Buffer = Buffer.alloc(0)
    const take = (chunk: Buffer): void => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      const header = this.#read(socket, received)
      if (!header) return
      forget()
      passOn(socket, header, received)
      admit()
    }
    const cut = (): void => { socket.destroy() }
    const forget = (): void => {
      this.#waiting.delete(socket)
      this.#deadlines.delete(socket)
      socket.off('data', take).off('end', cut).off('error', cut).off('close', forget)
    }
    this.#waiting.add(socket)
    this.#deadlines.add(socket)
    socket.on('data', take).on('end', cut).on('error', cut).on('close', forget)
  }

  #read (socket: Socket, bytes: Buffer): ProxyHeader | undefined {
    try {
      return readProxyHeader(bytes)
    } catch (error) {
      if (!(error instanceof ProxyHeaderError)) throw error
      this.#refuse(socket, error.message)
    }
  }

  #refuse (socket: Socket, reason: string): void {
    const { log, key } = this.#options
    const now = performance.now()
    const level = now < this.#quietUntil ? 'debug' : 'warn'
    if (level === 'warn') this.#quietUntil = now + QUIET_MS
    log[level]({ event: 'listener.connection_refused', key, address: peerAddress(socket), reason },
      'listener: connection refused')
    socket.destroy()
  }
}

function passOn (socket: Socket, { length, source }: ProxyHeader, received: Buffer): void {
  announced.set(socket, source ?? socket.remoteAddress ?? '')
  // Paused, so that the bytes wait for new listeners; resumed, since those do not resume a paused socket.
  socket.pause()
  if (received.length > length) socket.unshift(received.subarray(length))
  socket.resume()
}
