/**
 * Creates a self-signed certificate: X.509 v3 (RFC 5280), ECDSA P-256. Encoded in DER by hand, because a library for it
 * is larger than the rest of this folder.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'

/** A certificate (or chain) and its private key as PEM texts. */
export interface CertificatePair {
  readonly certificate: string
  readonly key: string
}

const TEN_YEARS_MS = 3652 * 24 * 3600 * 1000

const COMMON_NAME = '550403'
const SUBJECT_ALT_NAME = '551d11'
const EXTENDED_KEY_USAGE = '551d25'
const SERVER_AUTH = '2b06010505070301'
const ECDSA_WITH_SHA256 = '2a8648ce3d040302'

const INTEGER = 0x02, BIT_STRING = 0x03, OCTET_STRING = 0x04, OID = 0x06, UTF8_STRING = 0x0c
const UTC_TIME = 0x17, GENERALIZED_TIME = 0x18, SEQUENCE = 0x30, SET = 0x31
const VERSION_FIELD = 0xa0, EXTENSIONS_FIELD = 0xa3
const DNS_NAME = 0x82, IP_ADDRESS = 0x87

/** Creates a key and a certificate, valid for ten years, for these names: ASCII domains, wildcards, IP addresses. */
export function makeSelfSigned (names: readonly string[]): CertificatePair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const serial = positive(randomBytes(16))
  // A unique name, since clients that trust an older certificate look up issuers by name.
  const name = commonName(`heliograph ${serial.toString('hex', 0, 8)}`)
  const algorithm = der(SEQUENCE, oid(ECDSA_WITH_SHA256))
  const body = der(SEQUENCE,
    der(VERSION_FIELD, der(INTEGER, Buffer.from([2]))),
    der(INTEGER, serial),
    algorithm,
    name,
    der(SEQUENCE, time(Date.now() - 3600_000), time(Date.now() + TEN_YEARS_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(EXTENSIONS_FIELD, der(SEQUENCE, forServers(), altNames(names))),
  )
  const signature = der(BIT_STRING, Buffer.from([0]), sign('sha256', body, privateKey))
  return {
    certificate: pem(der(SEQUENCE, body, algorithm, signature)),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function forServers (): Buffer {
  return extension(EXTENDED_KEY_USAGE, der(SEQUENCE, oid(SERVER_AUTH)))
}

function altNames (names: readonly string[]): Buffer {
  return extension(SUBJECT_ALT_NAME, der(SEQUENCE, Buffer.concat(names.map(altName))))
}

function altName (name: string): Buffer {
  return isIP(name) ? der(IP_ADDRESS, addressBytes(name)) : der(DNS_NAME, Buffer.from(name, 'ascii'))
}

function addressBytes (address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = '', tail = ''] = canonical.split('::')
  const left = head.split(':').filter(Boolean), right = tail.split(':').filter(Boolean)
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return Buffer.from(groups.map(group => group.padStart(4, '0')).join(''), 'hex')
}

function extension (id: string, value: Buffer): Buffer {
  return der(SEQUENCE, oid(id), der(OCTET_STRING, value))
}

function commonName (name: string): Buffer {
  return der(SEQUENCE, der(SET, der(SEQUENCE, oid(COMMON_NAME), der(UTF8_STRING, Buffer.from(name)))))
}

function time (at: number): Buffer {
  const digits = new Date(at).toISOString().replace(/[-:T]|\.\d+/g, '')
  // RFC 5280 §4.1.2.5: two digits for the year through 2049, four from 2050.
  return digits < '2050' ? der(UTC_TIME, Buffer.from(digits.slice(2))) : der(GENERALIZED_TIME, Buffer.from(digits))
}

function oid (hex: string): Buffer {
  return der(OID, Buffer.from(hex, 'hex'))
}

function positive (bytes: Buffer): Buffer {
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes
}

function der (tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content])
  const digits = content.length.toString(16)
  const length = Buffer.from(digits.padStart(digits.length + digits.length % 2, '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content])
}

function pem (bytes: Buffer): string {
  const lines = bytes.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}
