/**
 * What a test's node of a cluster listens with: streams of its own, on TCP and WebSocket, and those of other edges.
 */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { Bus } from '../../../src/cluster/bus/bus.ts'
import type { Core } from '../../../src/app/core.ts'
import { openLog } from '../../../src/log.ts'
import { TcpTransport } from '../../../src/net/tcp.ts'
import type { Transport } from '../../../src/net/transport.ts'
import type { WriteBarrier } from '../../../src/net/write-barrier.ts'
import { WebSocketEndpoint } from '../../../src/net/websocket.ts'
import type { Homes } from '../../../src/session/homes.ts'
import { ClientStream } from '../../../src/stream/client-stream.ts'
import type { StreamParts } from '../../../src/stream/client-stream.ts'
import { Edge } from '../../../src/stream/remote/edge.ts'
import { LoginLimits } from '../../../src/stream/sasl/login-limits.ts'
import { RemoteStreams } from '../../../src/stream/remote/remote-streams.ts'
import { StreamError } from '../../../src/xmpp/errors.ts'
import { WireClient } from '../wire/wire-client.ts'

/** What a node's streams need of its cluster. */
export interface ListenersCluster {
  readonly bus: Bus
  readonly homes: Homes
  readonly barrier: WriteBarrier
}

const SECRET = Buffer.alloc(32, 7)

export interface ListenerOptions {
  readonly limits?: Partial<StreamParts['limits']> | undefined
  readonly resourceConflict?: StreamParts['resourceConflict'] | undefined
  /** The streams' clock, in milliseconds. */
  readonly now?: () => number
}

export class Listeners {
  readonly streams = new Set<ClientStream>()
  readonly #sockets = new Set<Socket>()
  readonly #core: Core
  readonly #cluster: ListenersCluster
  readonly #listeners: { readonly port: number, close (): void }[] = []
  #remote: RemoteStreams | undefined

  private constructor (core: Core, cluster: ListenersCluster) {
    this.#core = core
    this.#cluster = cluster
  }

  static async open (
    core: Core, cluster: ListenersCluster, options: ListenerOptions,
  ): Promise<Listeners> {
    const listeners = new Listeners(core, cluster)
    await listeners.#open(options)
    return listeners
  }

  async #open ({ limits, resourceConflict = 'replace', now = () => 1 }: ListenerOptions): Promise<void> {
    const log = await openLog({ level: 'silent' })
    const parts: StreamParts = {
      ...this.#core, hosts: ['localhost'], log, secret: SECRET,
      loginLimits: new LoginLimits(0), credentials: jid => this.#core.store.find(jid), requireTls: false,
      allowsAnonymous: true, resourceConflict,
      limits: { stanzaBytes: 262_144, loginSeconds: 60, idleSeconds: 100, ...limits },
      now,
      closed: stream => { this.streams.delete(stream) },
      edge: new Edge(this.#cluster, log),
    }
    this.#remote = new RemoteStreams(this.#cluster, parts)
    const accept = (transport: Transport): void => { this.streams.add(new ClientStream(transport, parts, parts.now())) }
    const tcp = createServer({ noDelay: true, allowHalfOpen: true }, socket => {
      this.#sockets.add(socket.once('close', () => { this.#sockets.delete(socket) }))
      accept(new TcpTransport(socket, { barrier: this.#cluster.barrier }))
    })
    const endpoint = new WebSocketEndpoint({ barrier: this.#cluster.barrier, maxMessageBytes: 262_144 }, accept)
    const http = createHttpServer().on('upgrade', endpoint.upgrade)
    for (const server of [tcp, http]) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      this.#listeners.push({ port: (server.address() as AddressInfo).port, close: () => { server.close() } })
    }
    this.#listeners.push({ port: 0, close: () => { endpoint.close() } })
  }

  connectTcp (): Promise<WireClient> { return WireClient.tcp(this.#listeners[0]?.port ?? 0) }
  connectWebSocket (): Promise<WireClient> { return WireClient.webSocket(this.#listeners[1]?.port ?? 0) }

  /** As when the process is killed: connections break, on TCP at least, and nobody is told why. */
  breaks (): void {
    for (const socket of this.#sockets) socket.destroy()
    for (const listener of this.#listeners) listener.close()
  }

  close (): void {
    for (const stream of this.streams) stream.close()
    this.#remote?.close(new StreamError('system-shutdown'))
    for (const listener of this.#listeners) listener.close()
  }
}
