/**
 * Listens for TCP connections of clients, with STARTTLS or direct TLS (XEP-0368), on several addresses. A connection
 * beyond its address's limit, or whose TLS handshake fails, never becomes a stream.
 */
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { AddressLimit } from './addresses.ts'
import { openPorts } from './ports.ts'
import type { PortAddress, PortOptions, Ports } from './ports.ts'
import { peerAddress } from './proxy-protocol.ts'
import type { Shaper } from './shaper.ts'
import { TcpTransport } from './tcp.ts'
import type { TlsRole } from './tls.ts'
import type { WriteBarrier } from './write-barrier.ts'

export interface ListenOptions extends PortOptions {
  readonly barrier: WriteBarrier
  readonly tls?: TlsRole | undefined
  /** Direct TLS, with the certificate of this host for clients without SNI. */
  readonly directTlsFor?: string | undefined
  readonly streams?: AddressLimit | undefined
  readonly shaper?: Shaper | undefined
}

/** Open ports and their connections. */
export class Listener {
  readonly #ports: Ports
  readonly #open: ReadonlyMap<Socket, TcpTransport>

  constructor (ports: Ports, open: ReadonlyMap<Socket, TcpTransport>) {
    this.#ports = ports
    this.#open = open
  }

  /** The addresses in use, with the actual port where 0 was given. */
  get addresses (): readonly AddressInfo[] {
    return this.#ports.addresses
  }

  /** Accepts no more connections; open ones go on. */
  stop (): void {
    this.#ports.stop()
  }

  /** Accepts no more connections and cuts open ones. */
  close (): void {
    this.stop()
    for (const transport of this.#open.values()) transport.destroy()
  }
}

/** Opens the ports; passes each connection to `accept`, with direct TLS after the handshake. */
export async function listen (
  addresses: readonly PortAddress[], options: ListenOptions, accept: (transport: TcpTransport) => void,
): Promise<Listener> {
  const open = new Map<Socket, TcpTransport>()
  const admit = admitter(open, options, accept)
  return new Listener(await openPorts(addresses, options, () => createServer({ noDelay: true }, admit)), open)
}

function admitter (
  open: Map<Socket, TcpTransport>, options: ListenOptions, accept: (transport: TcpTransport) => void,
): (socket: Socket) => void {
  const { directTlsFor, streams, log } = options
  const forget = function (this: Socket): void {
    const transport = open.get(this)
    open.delete(this)
    if (transport) streams?.release(transport.remoteAddress)
  }
  return socket => {
    // Undefined where the peer has disconnected already.
    const address = peerAddress(socket)
    if (address === undefined || streams?.take(address) === false) {
      socket.destroy()
      return
    }
    const transport = new TcpTransport(socket, options)
    open.set(socket, transport)
    socket.on('close', forget)
    if (directTlsFor === undefined) accept(transport)
    else {
      transport.startTls(directTlsFor).then(() => accept(transport), err => {
        log.debug({ event: 'tls.handshake_failed', err, address: transport.remoteAddress }, 'tls: handshake failed')
      })
    }
  }
}
