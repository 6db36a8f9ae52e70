/** The link of a pair that was proven on a stream: writes stanzas to it, and learns what the other server has taken. */
import type { ServerRequests } from '../routing/server-requests.ts'
import { StreamFault } from '../stream/stream-error.ts'
import { ignore } from '../util/ignore.ts'
import { StreamError } from '../xmpp/errors.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { Acks } from './acks.ts'
import { LinkError } from './link.ts'
import type { Link } from './link.ts'
import { Pings } from './pings.ts'
import type { ServerStream } from './server-stream.ts'
import type { Proof, ProvenPair } from './streams.ts'

/** Stream errors that trying again will hardly mend (RFC 6120 §4.9.3). */
const FINAL: ReadonlySet<string> = new Set([
  'host-gone', 'host-unknown', 'improper-addressing', 'invalid-from', 'invalid-namespace', 'not-authorized',
  'policy-violation', 'unsupported-feature', 'unsupported-version',
])
/** Those that may be over soon. */
const PASSING: ReadonlySet<string> = new Set([
  'conflict', 'connection-timeout', 'internal-server-error', 'remote-connection-failed', 'reset',
  'resource-constraint', 'see-other-host', 'system-shutdown', 'undefined-condition',
])

export class StreamLink implements Link {
  readonly local: string
  readonly remote: string
  readonly provenBy: Proof
  readonly tls: string | undefined
  readonly #stream: ServerStream
  readonly #acks: Acks
  readonly #pings: Pings
  readonly #pair: ProvenPair
  /** What was sent before stream management was on is confirmed by no count. */
  #hasUncounted = false
  #lostBy: LinkError | undefined
  readonly #handlers = new Set<(reason: LinkError) => void>()

  constructor (pair: ProvenPair, stream: ServerStream, acks: Acks, requests: ServerRequests) {
    this.local = pair.local
    this.remote = pair.remote
    this.provenBy = pair.provenBy
    this.tls = pair.tls
    this.#pair = pair
    this.#stream = stream
    this.#acks = acks
    this.#pings = new Pings(requests, pair.local, pair.remote, request => { this.send(request) })
  }

  get isOpen (): boolean { return this.#lostBy === undefined && !this.#stream.isClosed }

  send (stanza: Stanza): void {
    if (!this.isOpen) return
    this.#pair.sent++
    if (this.#acks.isEnabled) this.#acks.sent()
    else this.#hasUncounted = true
    this.#stream.write(stanza)
  }

  drained (): Promise<void> | undefined {
    return this.#stream.drained()
  }

  confirm (): Promise<void> {
    return new Promise((resolve, reject) => {
      this.whenLost(reject)
      this.#confirmed().then(resolve, reject).finally(() => { this.#handlers.delete(reject) })
    })
  }

  async #confirmed (): Promise<void> {
    const { isEnabled } = this.#acks
    if (isEnabled && !this.#hasUncounted) return this.#acks.confirm()
    await this.#pings.ping()
    if (isEnabled) this.#hasUncounted = false
  }

  /** Asks the other server whether it still has the stream, which ends unless anything comes soon. */
  doubt (): void {
    if (!this.isOpen) return
    if (this.#acks.isEnabled) this.#acks.ask()
    else if (this.#pair.direction !== 'both') return // answers come on another stream
    else this.#pings.ping().catch(ignore) // anything will do
    this.#stream.doubt()
  }

  whenLost (handler: (reason: LinkError) => void): void {
    if (this.#lostBy) handler(this.#lostBy)
    else this.#handlers.add(handler)
  }

  close (): void {
    this.#stream.close()
  }

  /** The stream is over. */
  lose (reason: LinkError): void {
    if (this.#lostBy) return
    this.#lostBy = reason
    for (const handler of this.#handlers) handler(reason)
    this.#handlers.clear()
  }
}

/** The reason for which a stream's protocol lost it, as a link's. */
export function linkErrorOf (reason: Error | undefined): LinkError {
  if (reason instanceof LinkError) return reason
  if (reason instanceof StreamFault) {
    const { condition } = reason
    if (FINAL.has(condition)) return new LinkError('refused', `the other server ended the stream: ${condition}`)
    const known = PASSING.has(condition) ? `: ${condition}` : ' with an error'
    return new LinkError('unreachable', `the other server ended the stream${known}`)
  }
  if (reason instanceof StreamError) {
    return new LinkError('unreachable', `this server ended the stream: ${reason.message}`)
  }
  return new LinkError('unreachable', reason ? 'the connection broke' : 'the stream was closed', { cause: reason })
}
