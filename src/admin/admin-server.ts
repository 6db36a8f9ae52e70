/**
 * The administrator's way into a running server: a unix socket in the data folder, open to the owner of the process
 * alone. A line of JSON asks, `{"id":1,"command":"status","args":{}}`, and a line answers, with `result` or `error`.
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

  /** What it resolves with is the answer, as JSON; what it rejects with is what the administrator reads. */
  command (name: string, run: AdminCommand): void {
    this.#commands.set(name, run)
  }

  /** Listens in the data folder, whose lock the caller holds: a socket that is there is a dead server's. */
  async start (dataFolder: string): Promise<void> {
    const folder = await openFolder(dataFolder)
    await rm(folder.socketPath, { force: true })
    const server = createServer(socket => this.#serve(socket))
    // The socket file is made within the call, so that nobody else can open it at any moment.
    const mask = process.umask(0o177)
    server.listen(folder.socketPath)
    process.umask(mask)
    this.#server = server
    this.#folder = folder
    await once(server, 'listening')
  }

  /** Stops listening and takes the socket away once what was asked is answered: no command may wait for it. */
  async stop (): Promise<void> {
    const server = this.#server
    if (!server) return
    this.#server = undefined
    const closed = once(server, 'close')
    server.close()
    await Promise.all(this.#answering)
    for (const socket of this.#connections) socket.destroySoon() // does not wait for the other end
    await closed
    await this.#folder?.close()
  }

  #serve (socket: Socket): void {
    this.#connections.add(socket)
    socket.on('close', () => this.#connections.delete(socket))
    socket.on('error', error => this.#log.debug({ event: 'admin.connection_broken', err: error }, 'admin: connection broken'))
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
    } catch (error) { // a refusal or a bug: who asked may read either
      if (error instanceof StanzaError) {
        this.#log.debug({ event: 'admin.command_refused', command, condition: error.condition }, 'admin: command refused')
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
