/** The HTTP server: handlers by exact path, upgrades to WebSocket, 404 for any other path. */
import { createServer, STATUS_CODES } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { AddressLimit } from './addresses.ts'
import { HttpConnections } from './http-connections.ts'
import { openPorts } from './ports.ts'
import type { PortAddress, PortOptions, Ports } from './ports.ts'

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

export interface HttpOptions extends PortOptions {
  /** By exact path, without the query. */
  readonly routes: Readonly<Record<string, HttpHandler>>
  readonly upgrades?: Readonly<Record<string, UpgradeHandler>>
  /** The limit per address of connections that are no WebSocket. */
  readonly connections?: AddressLimit | undefined
}

/** The timeout of a request's headers, and of the first request of a connection. */
const HEADERS_MS = 10_000
/** The interval of the checks of header timeouts. */
const CHECK_MS = 5_000

/** Open HTTP ports. */
export class HttpListener {
  readonly #ports: Ports<Server>

  constructor (ports: Ports<Server>) {
    this.#ports = ports
  }

  get addresses (): readonly AddressInfo[] {
    return this.#ports.addresses
  }

  /** Accepts no more connections; open ones go on. */
  stop (): void {
    this.#ports.stop()
  }

  /** Also cuts open connections, except WebSockets, which their endpoint closes. */
  close (): void {
    this.stop()
    for (const server of this.#ports.servers) server.closeAllConnections()
  }
}

/** Opens the ports; adds the route `/healthz`. */
export async function listenHttp (addresses: readonly PortAddress[], options: HttpOptions): Promise<HttpListener> {
  const routes = new Map<string, HttpHandler>([['/healthz', answerHealth], ...Object.entries(options.routes)])
  const upgrades = new Map(Object.entries(options.upgrades ?? {}))
  const connections = new HttpConnections(options.connections, HEADERS_MS)
  const ports = await openPorts(addresses, options, () =>
    createServer({ headersTimeout: HEADERS_MS, connectionsCheckingInterval: CHECK_MS, noDelay: true })
      .on('connection', socket => { connections.opened(socket) })
      .on('request', (request, response) => {
        connections.spoke(request.socket)
        const answer = routes.get(pathOf(request)) ?? answerNotFound
        answer(request, response)
      })
      .on('upgrade', (request, socket, head) => {
        connections.spoke(request.socket)
        connections.left(request.socket)
        const upgrade = upgrades.get(pathOf(request)) ?? refuseUnknown
        upgrade(request, socket, head)
      }))
  return new HttpListener(ports)
}

/** Answers a refused upgrade, and closes the connection. */
export function refuseUpgrade (socket: Duplex, status: 400 | 403 | 404 | 429, text = ''): void {
  // The peer may be gone before the answer is written.
  socket.on('error', () => socket.destroy())
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n` +
    `Content-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
}

function pathOf (request: IncomingMessage): string {
  const url = request.url ?? ''
  const query = url.indexOf('?')
  return query < 0 ? url : url.slice(0, query)
}

function answerHealth (_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-store' }).end('ok\n')
}

function answerNotFound (_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(404, { 'content-type': 'text/plain' }).end('Not found\n')
}

function refuseUnknown (_request: IncomingMessage, socket: Duplex): void {
  refuseUpgrade(socket, 404)
}
