/** A DNS server on loopback for tests: it answers what `names` says, and notes what it was asked. */
import { createSocket } from 'node:dgram'
import type { RemoteInfo, Socket } from 'node:dgram'
import { once } from 'node:events'
import { addressData, CODES, readQuestion, srvData, TYPES, writeAnswer } from './dns-packets.ts'
import type { Question, SrvRecord } from './dns-packets.ts'

/** What the server says of a name. */
export interface DnsName {
  readonly a?: readonly string[]
  readonly aaaa?: readonly string[]
  readonly srv?: readonly SrvRecord[]
  /** Seconds; 60 unless given. */
  readonly ttl?: number
  /** The time before an answer. */
  readonly delayMs?: number
  /** `failure`: SERVFAIL; `silence`: no answer at all. */
  readonly gives?: 'failure' | 'silence'
}

/** What was asked, e.g. `SRV _xmpp-server._tcp.example.org`. */
export type Asked = string

export class DnsServer implements AsyncDisposable {
  readonly #socket: Socket
  readonly #delays = new Set<NodeJS.Timeout>()
  /** By name in lower case; a name that is not here, nor above one that is, does not exist (NXDOMAIN). */
  readonly names: Map<string, DnsName>
  readonly asked: Asked[] = []

  private constructor (socket: Socket, names: Readonly<Record<string, DnsName>>) {
    this.#socket = socket
    this.names = new Map(Object.entries(names))
    socket.on('message', (packet, from) => { this.#take(packet, from) })
  }

  static async start (
    names: Readonly<Record<string, DnsName>> = {}, at: { readonly host?: string, readonly port?: number } = {},
  ): Promise<DnsServer> {
    const socket = createSocket('udp4')
    socket.bind(at.port ?? 0, at.host ?? '127.0.0.1')
    await once(socket, 'listening')
    return new DnsServer(socket, names)
  }

  get host (): string { return this.#socket.address().address }
  get port (): number { return this.#socket.address().port }

  async [Symbol.asyncDispose] (): Promise<void> {
    for (const delay of this.#delays) clearTimeout(delay)
    this.#socket.close()
    await once(this.#socket, 'close')
  }

  #take (packet: Buffer, from: RemoteInfo): void {
    const question = readQuestion(packet)
    this.asked.push(`${typeName(question.type)} ${question.name}`)
    const known = this.names.get(question.name)
    if (known?.gives === 'silence') return
    const answer = this.#answer(question, known)
    if (!known?.delayMs) return this.#send(answer, from)
    const delay = setTimeout(() => {
      this.#delays.delete(delay)
      this.#send(answer, from)
    }, known.delayMs)
    this.#delays.add(delay)
  }

  #send (answer: Buffer, { port, address }: RemoteInfo): void {
    this.#socket.send(answer, port, address)
  }

  #answer (question: Question, known: DnsName | undefined): Buffer {
    if (known?.gives === 'failure') return writeAnswer(question, CODES.serverFailure, 0, [])
    const code = known || this.#isAbove(question.name) ? CODES.ok : CODES.nameError
    return writeAnswer(question, code, known?.ttl ?? 60, known ? dataOf(known, question.type) : [])
  }

  /** Whether there are names below this one, so that it exists itself. */
  #isAbove (name: string): boolean {
    return [...this.names.keys()].some(other => other.endsWith(`.${name}`))
  }
}

function dataOf ({ a = [], aaaa = [], srv = [] }: DnsName, type: number): readonly Buffer[] {
  if (type === TYPES.A) return a.map(addressData)
  if (type === TYPES.AAAA) return aaaa.map(addressData)
  return type === TYPES.SRV ? srv.map(srvData) : []
}

function typeName (type: number): string {
  return Object.entries(TYPES).find(([, number]) => number === type)?.[0] ?? `TYPE${type}`
}
