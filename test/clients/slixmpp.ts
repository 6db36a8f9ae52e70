/** Debian's slixmpp, each client a process of its own that a test leads (slixmpp_agent.py). */
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { endProgram, requireProgram } from '../../conformance/peers/server.ts'
import { Inbox } from './inbox.ts'
import { PASSWORD, type Meeting } from './server.ts'

const PYTHON = '/usr/bin/python3'
const AGENT = join(import.meta.dirname, 'slixmpp_agent.py')
const INSTALLED = '/usr/lib/python3/dist-packages/slixmpp/__init__.py'

/** A line that the agent said. */
export type Seen = Readonly<Record<string, unknown>>

/** Why there is no slixmpp, after it was installed where that may be done; nothing when there is one. */
export function whyNoSlixmpp (): string | undefined {
  try {
    requireProgram(INSTALLED, 'python3-slixmpp')
  } catch (error) { // not root, or no Debian, or no network
    return error instanceof Error ? error.message : String(error)
  }
}

export class Slixmpp {
  readonly jid: string
  readonly #process: ChildProcess
  readonly #inbox = new Inbox<string>()
  #stopped: Promise<void> | undefined
  #lastId = 0

  /** A client that is being started; `session` is what it says first when it is let in. */
  constructor (meeting: Meeting, name: string, password = PASSWORD) {
    this.jid = `${name}@localhost`
    this.#process = spawn(PYTHON, [AGENT, `${this.jid}/slixmpp`, password, `${meeting.port}`, meeting.certificate], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    if (!this.#process.stdout) throw new Error('no output')
    createInterface(this.#process.stdout).on('line', line => this.#inbox.add(line))
  }

  /** The first line, seen or still to be seen, that holds all of `expected`. */
  async expectSeen (kind: string, expected: Seen = {}): Promise<Seen> {
    const wanted = Object.entries({ kind, ...expected })
    const line = await this.#inbox.take(`${this.jid}: ${JSON.stringify(wanted)}`, line => {
      const seen = JSON.parse(line) as Seen
      return wanted.every(([key, value]) => seen[key] === value)
    })
    return JSON.parse(line) as Seen
  }

  /** Lets the client do something (a `do_…` of the agent); an error that it was answered is the result. */
  async does (what: string, values: Seen = {}): Promise<unknown> {
    const id = ++this.#lastId
    this.#process.stdin?.write(`${JSON.stringify({ 'id': id, 'do': what, 'with': values })}\n`)
    const { result, error } = await this.expectSeen('answer', { id })
    return error ?? result
  }

  /** Logs out and ends, if it has not yet. */
  async stop (): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop (): Promise<void> {
    this.#process.stdin?.end()
    await this.expectSeen('disconnected').catch(() => {}) // it was never connected, or has ended by itself
    await endProgram(this.#process)
  }
}
