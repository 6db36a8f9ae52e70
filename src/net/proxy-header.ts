/**
 * Strict parser of the PROXY protocol's header, versions 1 and 2 (HAProxy's proxy-protocol.txt): the limits per address
 * depend on it.
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { plainAddress } from './addresses.ts'

export interface ProxyHeader {
  /** In bytes; the stream's bytes follow. */
  readonly length: number
  /** The client's address; undefined for a connection of the proxy itself (a health check) or without IP. */
  readonly source: string | undefined
}

/** The bytes can't be the beginning of a header. */
export class ProxyHeaderError extends Error {}

const TEXT_START = Buffer.from('PROXY ')
/** §2.1: the limit, with CRLF. */
const TEXT_BYTES = 107

/** §2.2 */
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const FIXED_BYTES = 16
/** The limit, with TLVs behind the addresses; the format would allow 64 KB. */
const BINARY_BYTES = 4096
const VERSION_2 = 2
const LOCAL = 0
const PROXY = 1
/** Families and protocols, and the bytes of their two addresses and ports. */
const UNSPECIFIED = 0x00
const TCP4 = 0x11
const TCP6 = 0x21
const UNIX_STREAM = 0x31
const ADDRESS_BYTES: Readonly<Record<number, number>> = { [UNSPECIFIED]: 0, [TCP4]: 12, [TCP6]: 36, [UNIX_STREAM]: 216 }

/** The header at the beginning of `bytes`; undefined while it is incomplete. Throws ProxyHeaderError. */
export function readProxyHeader (bytes: Buffer): ProxyHeader | undefined {
  if (agree(bytes, SIGNATURE)) return bytes.length < FIXED_BYTES ? undefined : readBinary(bytes)
  if (agree(bytes, TEXT_START)) return readText(bytes)
  throw new ProxyHeaderError('no PROXY header came first')
}

/** Whether one is a prefix of the other. */
function agree (bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.compare(start, 0, length, 0, length) === 0
}

// §2.1
function readText (bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.subarray(0, TEXT_BYTES).indexOf('\r\n')
  if (end >= 0) return { length: end + 2, source: sourceIn(bytes.toString('latin1', TEXT_START.length, end)) }
  if (bytes.length >= TEXT_BYTES) throw new ProxyHeaderError('the PROXY line is too long')
}

function sourceIn (line: string): string | undefined {
  const [family, source = '', destination = '', ...ports] = line.split(' ')
  // The rest of the line MUST be ignored.
  if (family === 'UNKNOWN') return undefined
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isGlobalIPv6 : undefined
  if (!isAddress?.(source) || !isAddress(destination) || ports.length !== 2 || !ports.every(isPort)) {
    throw new ProxyHeaderError('the PROXY line is malformed')
  }
  return canonical(source)
}

function isGlobalIPv6 (text: string): boolean {
  return isIPv6(text) && !text.includes('%') // a zone has a meaning at the proxy only
}

function isPort (text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65535
}

// §2.2
function readBinary (bytes: Buffer): ProxyHeader | undefined {
  const kind = bytes.readUInt8(12)
  const family = bytes.readUInt8(13)
  const length = FIXED_BYTES + bytes.readUInt16BE(14)
  const command = kind & 0x0f
  if (kind >> 4 !== VERSION_2 || command > PROXY) throw new ProxyHeaderError('an unknown version or command of PROXY')
  if (length > BINARY_BYTES) throw new ProxyHeaderError('the PROXY header is too long')
  if (command === PROXY) checkAddresses(family, length)
  if (bytes.length < length) return undefined
  return { length, source: command === LOCAL ? undefined : sourceOf(bytes, family) }
}

function checkAddresses (family: number, length: number): void {
  const least = ADDRESS_BYTES[family]
  if (least === undefined) throw new ProxyHeaderError('the PROXY header is for another protocol than TCP')
  if (length < FIXED_BYTES + least) throw new ProxyHeaderError('the PROXY header is too short for its addresses')
}

function sourceOf (bytes: Buffer, family: number): string | undefined {
  switch (family) {
    case TCP4: return bytes.subarray(FIXED_BYTES, FIXED_BYTES + 4).join('.')
    case TCP6: return canonical(bytes.toString('hex', FIXED_BYTES, FIXED_BYTES + 16).replaceAll(/.{4}(?!$)/g, '$&:'))
    default: return undefined
  }
}

/** The canonical form, for counting per address. */
function canonical (address: string): string {
  return plainAddress(new SocketAddress({ address, family: isIPv6(address) ? 'ipv6' : 'ipv4' }).address)
}
