/**
 * What stands in front of the nodes, as HAProxy with deploy/haproxy.cfg: a connection goes to any node whose /readyz
 * says 200, each to the one with the fewest; those that are there go on, whatever it says.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'

const LOOK_MS = 250
const PATIENCE_MS = 1_000

export interface Behind { readonly port: number, readonly httpPort: number }

export class Balancer {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #ready = new Set<Behind>()
  /** The clients' connections at each node. */
  readonly #at = new Map<Behind, Set<Socket>>()
  #isOver = false
  /** Where clients connect. */
  port = 0

  static async open (): Promise<Balancer> {
    const balancer = new Balancer()
    await once(balancer.#server.listen(0, '127.0.0.1'), 'listening')
    const address = balancer.#server.address()
    if (address !== null && typeof address === 'object') balancer.port = address.port
    return balancer
  }

  private constructor () {
    this.#server = createServer(client => {
      this.#keep(client)
      void this.#lead(client)
    })
  }

  /** From now on it stands in front of these. */
  async serve (nodes: readonly Behind[]): Promise<void> {
    await Promise.all(nodes.map(node => this.#look(node)))
    for (const node of nodes) void this.#watch(node)
  }

  end (): void {
    this.#isOver = true
    this.#server.close()
    this.breakAll()
  }

  /** How many clients are at a node. */
  countAt (node: Behind): number {
    return this.#clientsAt(node).size
  }

  /** Breaks all connections: whoever comes back is led to a node anew. */
  breakAll (): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #clientsAt (node: Behind): Set<Socket> {
    const clients = this.#at.get(node) ?? new Set()
    this.#at.set(node, clients)
    return clients
  }

  async #lead (client: Socket): Promise<void> {
    while (!client.destroyed) {
      const [node] = [...this.#ready].sort((one, other) => this.#clientsAt(one).size - this.#clientsAt(other).size)
      if (!node) {
        client.resetAndDestroy()
        return
      }
      const clients = this.#clientsAt(node).add(client)
      const server = connect(node.port, '127.0.0.1')
      this.#keep(server)
      client.once('close', () => {
        clients.delete(client)
        server.destroy()
      })
      try {
        await once(server, 'connect')
      } catch { // it was ready a moment ago
        clients.delete(client)
        this.#ready.delete(node)
        continue
      }
      client.pipe(server).pipe(client)
      server.once('close', () => { client.destroySoon() })
      return
    }
  }

  #keep (socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {}) // 'close' follows
    socket.once('close', () => { this.#sockets.delete(socket) })
  }

  async #watch (node: Behind): Promise<void> {
    while (!this.#isOver) {
      await setTimeout(LOOK_MS)
      await this.#look(node)
    }
  }

  async #look (node: Behind): Promise<void> {
    if (await isReady(node)) this.#ready.add(node)
    else this.#ready.delete(node)
  }
}

/** Whether the node says that it can serve clients. */
export async function isReady ({ httpPort }: Behind): Promise<boolean> {
  try {
    const { ok } = await fetch(`http://127.0.0.1:${httpPort}/readyz`, { signal: AbortSignal.timeout(PATIENCE_MS) })
    return ok
  } catch { // it is not there, or frozen
    return false
  }
}
