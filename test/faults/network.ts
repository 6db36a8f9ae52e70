/**
 * A bad network between clients and the server: a TCP proxy that holds what either side wrote for a moment, and loses
 * it when a connection is cut, but for some bytes of it, so that stanzas arrive by half.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const LATENCY_MS = 3

export class BadNetwork {
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  readonly #sockets = new Set<Socket>()
  #isDown = false
  /** Where clients connect. */
  port = 0
  /** How many connections were cut. */
  cut = 0

  /** To the server that listens at that port of this machine. */
  static async before (port: number): Promise<BadNetwork> {
    const network = new BadNetwork(port)
    await once(network.#server.listen(0, '127.0.0.1'), 'listening')
    const address = network.#server.address()
    if (address !== null && typeof address === 'object') network.port = address.port
    return network
  }

  private constructor (port: number) {
    this.#server = createServer({ allowHalfOpen: true }, client => {
      if (this.#isDown) return client.resetAndDestroy()
      const server = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      const connection = new Connection(client, server)
      this.#connections.add(connection)
      for (const socket of [client, server]) {
        this.#sockets.add(socket)
        socket.once('close', () => { this.#sockets.delete(socket) })
      }
      client.once('close', () => { this.#connections.delete(connection) })
    })
  }

  /** Cuts one connection, any of them. */
  cutAny (): void {
    const connections = [...this.#connections]
    const chosen = connections[Math.floor(Math.random() * connections.length)]
    if (chosen) this.#cut(chosen)
  }

  /** Cuts all connections, and lets none through for so long. */
  async fail (ms: number): Promise<void> {
    this.#isDown = true
    for (const connection of this.#connections) this.#cut(connection)
    await delay(ms)
    this.#isDown = false
  }

  end (): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #cut (connection: Connection): void {
    this.#connections.delete(connection)
    connection.cut()
    this.cut++
  }
}

/** A connection through the proxy: one lane each way. */
class Connection {
  readonly #up: Lane
  readonly #down: Lane

  constructor (client: Socket, server: Socket) {
    this.#up = new Lane(client, server)
    this.#down = new Lane(server, client)
  }

  /** As networks do it: the client knows at once; the server knows too, or learns it when the client is back (§5). */
  cut (): void {
    this.#down.cut(true)
    this.#up.cut(Math.random() < 0.7)
  }
}

/** One direction: what comes from one socket goes to the other a little later, in order. */
class Lane {
  readonly #to: Socket
  readonly #held: Buffer[] = []
  #isCut = false

  constructor (from: Socket, to: Socket) {
    this.#to = to
    from.on('data', (chunk: Buffer) => {
      if (this.#isCut) return // whatever is still written is written in vain
      this.#held.push(chunk)
      setTimeout(() => { this.#passOn() }, LATENCY_MS)
    })
    from.on('end', () => setTimeout(() => { if (!this.#isCut) to.end() }, LATENCY_MS))
    from.on('error', () => {}) // the other side of a cut, or a server that is away
    from.on('close', hadError => { if (hadError) to.destroy() })
  }

  /** Passes on a random part of what it holds, and no more; whether the socket behind it is told of the end. */
  cut (isTold: boolean): void {
    this.#isCut = true
    const held = Buffer.concat(this.#held.splice(0))
    this.#to.write(held.subarray(0, Math.floor(Math.random() * (held.length + 1))))
    if (!isTold) return
    if (Math.random() < 0.5) this.#to.resetAndDestroy()
    else this.#to.destroySoon()
  }

  #passOn (): void {
    const chunk = this.#held.shift()
    if (chunk) this.#to.write(chunk)
  }
}
