/** The streams that this node opens to other servers, one at a time for a pair of domains. */
import type { Connector } from './connector.ts'
import { LinkError } from './link.ts'
import type { Link, Links } from './link.ts'
import { OutgoingStream } from './outgoing-stream.ts'
import type { OutgoingStreamParts } from './outgoing-stream.ts'

export interface OutgoingParts extends OutgoingStreamParts {
  readonly connector: Connector
}

/** The most streams that are being opened at a time. Beyond, callers are told to come again. */
const MAX_AT_ONCE = 500

export class OutgoingStreams implements Links {
  readonly #parts: OutgoingParts
  readonly #opening = new Map<string, Promise<Link>>()

  constructor (parts: OutgoingParts) {
    this.#parts = parts
  }

  /** An open stream of the pair, in either direction where it carries both, or a new one; rejects with a LinkError. */
  async open (local: string, remote: string): Promise<Link> {
    const { streams, policy } = this.#parts
    const open = streams.link(local, remote)
    if (open) {
      open.doubt() // it may have been lost with others, and nobody told
      return open
    }
    if (!policy.isAllowed(remote)) throw new LinkError('refused', 'the configuration does not allow it')
    const key = `${local} ${remote}`
    const begun = this.#opening.get(key)
    if (begun) return begun
    if (this.#opening.size >= MAX_AT_ONCE) throw new LinkError('unreachable', 'too many streams are being opened')
    const opening = this.#open(local, remote).finally(() => { this.#opening.delete(key) })
    this.#opening.set(key, opening)
    return opening
  }

  async #open (local: string, remote: string): Promise<Link> {
    try {
      return await this.#parts.connector.open({ local, remote },
        stream => new OutgoingStream(stream, local, remote, this.#parts))
    } catch (error) {
      if (error instanceof LinkError && error.kind === 'refused') {
        const reason = error.message
        this.#parts.log.info({ event: 'federation.refused', local, remote, reason }, 'federation: refused')
      }
      throw error
    }
  }
}
