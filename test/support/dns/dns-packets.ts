/** Reads questions and writes answers of DNS (RFC 1035 §4), as far as a test's server needs them. */
import { isIPv6 } from 'node:net'

/** An SRV record (RFC 2782); the target "." says that the service is not offered. */
export interface SrvRecord {
  readonly priority?: number
  readonly weight?: number
  readonly port: number
  readonly target: string
}

export const TYPES = { A: 1, AAAA: 28, SRV: 33 } as const
export const CODES = { ok: 0, serverFailure: 2, nameError: 3 } as const

export interface Question {
  readonly id: number
  /** In lower case, without the dot at the end. */
  readonly name: string
  readonly type: number
  /** The question as it was asked, which the answer repeats. */
  readonly bytes: Buffer
}

const HEADER_BYTES = 12
const CLASS_IN = 1
/** A pointer to the question's name. */
const SAME_NAME = 0xC00C
const RESPONSE_FLAGS = 0x8180 // an answer, recursion desired and available

/** The first question of a query; throws RangeError for what is none. */
export function readQuestion (packet: Buffer): Question {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (let length = packet.readUInt8(at++); length > 0; length = packet.readUInt8(at++)) {
    labels.push(packet.toString('latin1', at, at + length))
    at += length
  }
  const type = packet.readUInt16BE(at)
  const bytes = packet.subarray(HEADER_BYTES, at + 4)
  return { id: packet.readUInt16BE(0), name: labels.join('.').toLowerCase(), type, bytes }
}

/** The answer to a question: a code, and a record for each data, all with this time to live in seconds. */
export function writeAnswer (question: Question, code: number, ttl: number, records: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(question.id, 0)
  header.writeUInt16BE(RESPONSE_FLAGS | code, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  return Buffer.concat([header, question.bytes, ...records.flatMap(data => [recordHead(question, ttl, data), data])])
}

function recordHead (question: Question, ttl: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(SAME_NAME, 0)
  head.writeUInt16BE(question.type, 2)
  head.writeUInt16BE(CLASS_IN, 4)
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return head
}

export function srvData ({ priority = 0, weight = 0, port, target }: SrvRecord): Buffer {
  const head = Buffer.alloc(6)
  head.writeUInt16BE(priority, 0)
  head.writeUInt16BE(weight, 2)
  head.writeUInt16BE(port, 4)
  return Buffer.concat([head, nameData(target)])
}

/** The 4 or 16 bytes of an IP address. */
export function addressData (address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number))
  const [left = '', right] = address.split('::')
  const [before, after] = [left, right ?? ''].map(half => half.split(':').filter(group => group !== ''))
  const zeros = Array<string>(8 - (before?.length ?? 0) - (after?.length ?? 0)).fill('0')
  const groups = [...before ?? [], ...zeros, ...after ?? []]
  return Buffer.concat(groups.map(group => Buffer.from(group.padStart(4, '0'), 'hex')))
}

function nameData (name: string): Buffer {
  const labels = name.split('.').filter(label => label !== '')
  return Buffer.concat([
    ...labels.flatMap(label => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]), Buffer.alloc(1),
  ])
}
