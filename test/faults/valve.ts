/**
 * A wire between a node and what it needs, which can be shut: blocked, so that nothing passes and nobody is told, or
 * cut, so that every connection breaks and none can be made.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { NetConnectOpts, Server, Socket } from 'node:net'

export class Valve {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #state: 'open' | 'blocked' | 'cut' = 'open'
  /** What connects to this port of this machine goes through. */
  port = 0

  static async before (target: NetConnectOpts): Promise<Valve> {
    const valve = new Valve(target)
    await once(valve.#server.listen(0, '127.0.0.1'), 'listening')
    const address = valve.#server.address()
    if (address !== null && typeof address === 'object') valve.port = address.port
    return valve
  }

  private constructor (target: NetConnectOpts) {
    this.#server = createServer(client => {
      if (this.#state === 'cut') return client.resetAndDestroy()
      const server = connect(target)
      for (const [from, to] of [[client, server], [server, client]] as const) {
        this.#sockets.add(from)
        from.on('data', chunk => { to.write(chunk) })
        from.on('error', () => {}) // the other side hears of it below
        from.on('close', () => {
          this.#sockets.delete(from)
          to.destroySoon()
        })
        if (this.#state === 'blocked') from.pause()
      }
    })
  }

  /** From now on nothing passes; what is under way waits here. */
  block (): void {
    this.#state = 'blocked'
    for (const socket of this.#sockets) socket.pause()
  }

  cut (): void {
    this.#state = 'cut'
    for (const socket of this.#sockets) socket.destroy()
  }

  open (): void {
    this.#state = 'open'
    for (const socket of this.#sockets) socket.resume()
  }

  end (): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
