/** The client of a running server's admin socket. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { AdminArguments } from './admin-server.ts'
import { readLines } from './lines.ts'
import { openFolder } from './socket-folder.ts'

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

const GONE = 'the server went away before it answered'

export class AdminClient {
  readonly #socket: Socket
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>()
  #lastId = 0

  /** Connects to the server of this data folder; undefined when none runs. */
  static async connect (dataFolder: string): Promise<AdminClient | undefined> {
    try {
      const folder = await openFolder(dataFolder)
      const socket = connect(folder.socketPath)
      try { await once(socket, 'connect') } finally { await folder.close() }
      return new AdminClient(socket)
    } catch (error) { // no folder, no socket, or no server behind it
      if (isAbsence(error)) return
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`the server of ${dataFolder} can't be asked: ${reason}`, { cause: error })
    }
  }

  private constructor (socket: Socket) {
    this.#socket = socket
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => this.#fail())
    readLines(socket, line => this.#settle(JSON.parse(line) as Answer))
  }

  /** Resolves with the command's result; rejects with the server's error text, or when the connection breaks. */
  async ask<Result> (command: string, args: AdminArguments = {}): Promise<Result> {
    if (this.#socket.destroyed) throw new Error(GONE)
    const id = ++this.#lastId
    const asked = Promise.withResolvers<unknown>()
    this.#asked.set(id, asked)
    this.#socket.write(`${JSON.stringify({ id, command, args })}\n`)
    return await asked.promise as Result
  }

  close (): void {
    this.#socket.end()
  }

  #settle ({ id, result, error }: Answer): void {
    const asked = this.#asked.get(id)
    this.#asked.delete(id)
    if (error === undefined) asked?.resolve(result)
    else asked?.reject(new Error(error))
  }

  #fail (): void {
    for (const { reject } of this.#asked.values()) reject(new Error(GONE))
    this.#asked.clear()
  }
}

function isAbsence (error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ECONNREFUSED')
}
