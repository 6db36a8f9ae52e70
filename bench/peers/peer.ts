/**
 * A server under load: kept on one core, started again for each measurement on the data of the last. What the three
 * differ in is in the files beside this one; their processes are started and ended as those of the conformance runs.
 */
import type { ChildProcess } from 'node:child_process'
import { endProgram, freePort, makeCertificate, makeFolder, startProgram } from '../../conformance/peers/server.ts'
import type { Owner } from '../../conformance/peers/server.ts'
import type { ServerName } from '../options.ts'

/** What a server's own file knows of it. */
export interface Kind {
  readonly name: ServerName
  /** Its program is there, or installed now; or an error that says what to do. */
  readonly require: () => void
  /** Whom it runs as when the bench is root's. */
  readonly owner: () => Owner | undefined
  /** Writes its config and says how it is started. */
  readonly configure: (place: Place) => Command
}

export interface Place {
  readonly folder: string
  readonly port: number
  readonly certificate: string
  readonly key: string
}

export interface Command {
  readonly program: string
  readonly parameters: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export class Peer {
  readonly name: ServerName
  readonly folder: string
  readonly #kind: Kind
  readonly #core: number | undefined
  readonly #certificate: { readonly certificate: string, readonly key: string }
  #child: ChildProcess | undefined
  #port = 0

  constructor (kind: Kind, core: number | undefined) {
    kind.require()
    const owner = kind.owner()
    this.name = kind.name
    this.folder = makeFolder(kind.name, owner)
    this.#kind = kind
    this.#core = core
    this.#certificate = makeCertificate(this.folder, owner)
  }

  get port (): number {
    return this.#port
  }

  get pid (): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error(`${this.name} is not running`)
    return pid
  }

  /** Starts it on another port each time, so that the last start's connections are nobody's trouble. */
  async start (): Promise<void> {
    this.#port = await freePort()
    const { program, parameters, env } = this.#kind.configure({
      folder: this.folder, port: this.#port, ...this.#certificate,
    })
    const pinned = this.#core === undefined ? [] : ['taskset', '-c', String(this.#core)]
    const [command = program, ...rest] = [...pinned, program, ...parameters]
    this.#child = await startProgram(command, rest, this.#port, {
      cwd: this.folder, env: { ...process.env, ...env }, ...this.#kind.owner(),
    })
  }

  async stop (): Promise<void> {
    if (this.#child) await endProgram(this.#child)
    this.#child = undefined
  }
}
