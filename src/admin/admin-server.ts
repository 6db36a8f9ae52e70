/**
 * The admin socket of a running server: a Unix socket in the data folder, open only to the owner of the process. A
 * request is a line of JSON, `{"id":1,"command":"status","args":{}}`, and so is its answer, with `result` or `error`.
 */
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { Logger } from '../log.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { readLines } from './lines.ts'
import { openFolder } from './socket-folder.ts'
import type { SocketFolder } from './socket-folder.ts'

export type AdminArguments = Readonly<Record<string, unknown>>
export type AdminCommand = (args: AdminArguments) => Promise<unknown>

interface Request {
  readonly id: unknown
  readonly command: unknown
  readonly args: AdminArguments
}

export class AdminServer {
  readonly #commands = new Map<string, AdminCommand>()
  readonly #connections = new Set<Socket>()
  readonly #answering = new Set<Promise<void>>()
  readonly #log: Logger
  #server: Server | undefined
  #folder: SocketFolder | undefined

  constructor (log: Logger) {
    this.#log = log
  }

  /** Adds a command. It resolves with the answer, as JSON, or rejects with an error text for the administrator. */
  command (name: string, run: AdminCommand): void {
    this.#commands.set(name, run)
  }

  /** Listens in the data folder, whose lock the caller holds, so that an existing socket is a dead server's. */
  async start (dataFolder: string): Promise<void> {
    const folder = await openFolder(dataFolder)
    await rm(folder.socketPath, { force: true })
    const server = createServer(socket => this.#serve(socket))
    // The socket file is created within the call, so the mask applies from the beginning.
    const mask = process.umask(0o177)
    server.listen(folder.socketPath)
    process.umask(mask)
    this.#server = server
    this.#folder = folder
    await once(server, 'listening')
  }

  /** Stops listening, and removes the socket after all pending answers: a command must not wait for it. */
  async stop (): Promise<void> {
    const server = this.#server
    if (!server) return
    this.#server = undefined
    const closed = once(server, 'close')
    server.close()
    await Promise.all(this.#answering)
    for (const socket of this.#connections) socket.destroySoon() // without waiting for the peer
    await closed
    await this.#folder?.close()
  }

  #serve (socket: Socket): void {
    this.#connections.add(socket)
    socket.on('close', () => this.#connections.delete(socket))
    socket.on('error', err => {
      this.#log.debug({ event: 'admin.connection_broken', err }, 'admin: connection broken')
    })
    readLines(socket, line => {
      const answering = this.#answer(line, socket).finally(() => this.#answering.delete(answering))
      this.#answering.add(answering)
    })
  }

  async #answer (line: string, socket: Socket): Promise<void> {
    const request = parseRequest(line)
    const answer = request ? await this.#run(request) : { error: 'not a request' }
    if (socket.writable) socket.write(`${JSON.stringify({ id: request?.id, ...answer })}\n`)
  }

  async #run ({ command, args }: Request): Promise<{ readonly result: unknown } | { readonly error: string }> {
    const run = this.#commands.get(String(command))
    if (!run) return { error: `the server knows no command "${String(command)}"` }
    try {
      return { result: await run(args) ?? null }
    } catch (error) { // a refusal or a bug: the administrator may read either
      if (error instanceof StanzaError) {
        const { condition } = error
        this.#log.debug({ event: 'admin.command_refused', command, condition }, 'admin: command refused')
      } else this.#log.warn({ event: 'admin.command_failed', err: error, command }, 'admin: command failed')
      return { error: error instanceof Error ? error.message : String(error) }
    }
  }
}

function parseRequest (line: string): Request | undefined {
  try {
    const { id, command, args = {} } = JSON.parse(line) as Partial<Request>
    return { id, command, args }
  } catch { // a SyntaxError of JSON.parse, or a TypeError for `null`
    return
  }
}
