/**
 * The wire format of the bus: an entry of a mailbox is its sender, a number that counts this sender's entries there,
 * and packets, each `type, kind, id, header as JSON, body`. An empty header is left out.
 */
import type { StanzaErrorCondition, StanzaErrorType } from '../../xmpp/errors.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import type { NodeId } from './bus.ts'
import type { ErrorRecord } from './protocol.ts'

export const TELL = 0
export const ASK = 1
export const ANSWER = 2
/** An error as the answer. */
export const REFUSAL = 3
/** An earlier packet or request was lost. */
export const BROKEN = 4

const FIRST_BYTES = 4_096
const COUNTER_BYTES = 6
/** Bytes of a packet besides its texts and body. */
const FIXED_BYTES = 14
/** A UTF-16 unit takes no more in UTF-8. */
const MAX_CHARACTER_BYTES = 3
/** A step is for the clock to be looked at, which costs as much as a packet. */
const PACKETS_IN_STEP = 16
const NOTHING = {}

/** Collects packets for one entry. */
export class PacketWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES)
  #length = 0

  get length (): number {
    return this.#length
  }

  add (type: number, kind: string, id: number, header: string, body: Buffer | undefined): void {
    const bytes = this.#reserve(FIXED_BYTES + kind.length + header.length * MAX_CHARACTER_BYTES + (body?.length ?? 0))
    let at = this.#length
    bytes[at] = type
    bytes[at + 1] = kind.length
    at += 2
    at += bytes.write(kind, at, 'latin1')
    at = bytes.writeUInt32BE(id, at)
    const written = bytes.write(header, at + 4)
    bytes.writeUInt32BE(written, at)
    at = bytes.writeUInt32BE(body?.length ?? 0, at + 4 + written)
    if (body) at += body.copy(bytes, at)
    this.#length = at
  }

  /** The entry of the packets so far; the next ones begin another. */
  take (from: NodeId, counter: number): Buffer {
    const entry = Buffer.allocUnsafe(1 + from.length + COUNTER_BYTES + this.#length)
    entry[0] = from.length
    entry.write(from, 1, 'latin1')
    const at = entry.writeUIntBE(counter, 1 + from.length, COUNTER_BYTES)
    this.#bytes.copy(entry, at, 0, this.#length)
    this.drop()
    return entry
  }

  drop (): void {
    this.#length = 0
    // One large packet must not keep a large buffer forever.
    if (this.#bytes.length > 16 * FIRST_BYTES) this.#bytes = Buffer.allocUnsafe(FIRST_BYTES)
  }

  #reserve (more: number): Buffer {
    const needed = this.#length + more
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    return this.#bytes
  }
}

export interface Entry {
  readonly from: NodeId
  readonly counter: number
  readonly packets: Buffer
}

export function readEntry (bytes: Buffer): Entry {
  const end = 1 + bytes.readUInt8(0)
  return {
    from: bytes.toString('latin1', 1, end),
    counter: bytes.readUIntBE(end, COUNTER_BYTES),
    packets: bytes.subarray(end + COUNTER_BYTES),
  }
}

/**
 * The header is what the sender of this kind gave; the body is a view of the entry's bytes. Returned steps run before
 * the next packet is visited.
 */
export type PacketVisitor = (
  from: NodeId, type: number, kind: string, id: number, header: never, body: Buffer,
) => Iterable<void> | undefined

/** Visits the packets in order, a few in each step, or one in several. */
export function * readPackets ({ from, packets }: Entry, visit: PacketVisitor): Iterator<void> {
  for (let at = 0, count = 1; at < packets.length; count++) {
    const type = packets.readUInt8(at)
    const kindEnd = at + 2 + packets.readUInt8(at + 1)
    const headerStart = kindEnd + 8
    const headerEnd = headerStart + packets.readUInt32BE(kindEnd + 4)
    const bodyStart = headerEnd + 4
    const end = bodyStart + packets.readUInt32BE(headerEnd)
    // Both nodes know each kind's header from protocol.ts.
    const header =
      (headerStart === headerEnd ? NOTHING : JSON.parse(packets.toString('utf8', headerStart, headerEnd))) as never
    const steps = visit(from, type, packets.toString('latin1', at + 2, kindEnd), packets.readUInt32BE(kindEnd), header,
      packets.subarray(bodyStart, end))
    at = end
    if (steps) yield * steps
    if (steps || count % PACKETS_IN_STEP === 0) yield
  }
}

/** A StanzaError as it crosses the bus. */
export interface Refusal extends ErrorRecord {
  readonly condition: StanzaErrorCondition
  readonly type: StanzaErrorType
}

export function refusalOf ({ condition, type, text, detail }: StanzaError): Refusal {
  return { condition, type, text, detail }
}

export function refusedWith ({ condition, text, detail, type }: Refusal): StanzaError {
  return new StanzaError(condition, text, detail, type)
}
