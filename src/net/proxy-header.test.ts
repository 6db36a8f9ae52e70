import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { binaryHeader, binaryHeaderFrom, textHeaderFrom } from '../../test/support/wire/proxy-header.ts'
import { ProxyHeaderError, readProxyHeader } from './proxy-header.ts'

const REST = Buffer.from("<?xml version='1.0'?>\r\n")
const PORTS = '30391466'
const IPV6 = Buffer.from(`20010db800000000000000000000000120010db8000000000000000000000002${PORTS}`, 'hex')
const MAPPED = Buffer.from(`00000000000000000000ffffc000020700000000000000000000ffffc0000208${PORTS}`, 'hex')
const TLVS = Buffer.from([0x04, 0x00, 0x03, 1, 2, 3, 0x20, 0x00, 0x05, 1, 0, 0, 0, 0])

const HEADERS: readonly (readonly [name: string, bytes: Buffer, source: string | undefined])[] = [
  ['TCP over IPv4, version 1', textHeaderFrom('192.0.2.7'), '192.0.2.7'],
  ['TCP over IPv6, version 1', Buffer.from('PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n'), '2001:db8::1'],
  ['an IPv6 address written in full, version 1',
    Buffer.from('PROXY TCP6 2001:0DB8:0000:0000:0000:0000:0000:0001 2001:db8::2 1 2\r\n'), '2001:db8::1'],
  ['an IPv4 address written as IPv6, version 1', Buffer.from('PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n'), '192.0.2.7'],
  ['an unknown client, version 1', Buffer.from('PROXY UNKNOWN\r\n'), undefined],
  ['the longest line that there may be', Buffer.from(`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`), undefined],
  ['TCP over IPv4, version 2', binaryHeaderFrom('192.0.2.7'), '192.0.2.7'],
  ['TCP over IPv6, version 2', binaryHeader({ family: 0x21, addresses: IPV6 }), '2001:db8::1'],
  ['an IPv4 address written as IPv6, version 2', binaryHeader({ family: 0x21, addresses: MAPPED }), '192.0.2.7'],
  ['more behind the addresses', binaryHeaderFrom('192.0.2.7', TLVS), '192.0.2.7'],
  ['as much behind the addresses as is read', binaryHeaderFrom('192.0.2.7', Buffer.alloc(4096 - 28)), '192.0.2.7'],
  ['the balancer itself, version 2', binaryHeader({ kind: 0x20, family: 0x00, addresses: Buffer.alloc(0) }), undefined],
  ['the balancer itself, with a family that nobody knows', binaryHeader({ kind: 0x20, family: 0xff }), undefined],
  ['an unknown client, version 2', binaryHeader({ family: 0x00, addresses: Buffer.alloc(0) }), undefined],
  ['a unix socket', binaryHeader({ family: 0x31, addresses: Buffer.alloc(216) }), undefined],
]

describe('what balancers send is read:', () => {
  test.each(HEADERS)('%s', (_name, bytes, source) => {
    expect(readProxyHeader(Buffer.concat([bytes, REST]))).toEqual({ length: bytes.length, source })
  })

  test.each(HEADERS)('%s, when it is whole and not before', (_name, bytes, source) => {
    for (let length = 0; length < bytes.length; length++) {
      expect(readProxyHeader(bytes.subarray(0, length))).toBeUndefined()
    }
    expect(readProxyHeader(bytes)).toEqual({ length: bytes.length, source })
  })
})

describe('what is no header is refused:', () => {
  test.each([
    ['a stream', REST],
    ['TLS', Buffer.from([0x16, 0x03, 0x01])],
    ['another word', Buffer.from('PROXZ')],
    ['a word in small letters', Buffer.from('proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n')],
    ['an unknown family', Buffer.from('PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n')],
    ['no family', Buffer.from('PROXY \r\n')],
    ['IPv6 for IPv4', Buffer.from('PROXY TCP4 ::1 ::1 1 2\r\n')],
    ['IPv4 for IPv6', Buffer.from('PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n')],
    ['an address with a zone', Buffer.from('PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n')],
    ['a destination that is none', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3 1 2\r\n')],
    ['a port beyond the last', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n')],
    ['a port with a zero before it', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n')],
    ['one port', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n')],
    ['three ports', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n')],
    ['two blanks', Buffer.from('PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n')],
    ['a line without an end', Buffer.from(`PROXY UNKNOWN ${'f'.repeat(93)}`)],
    ['a line that ends too late', Buffer.from(`PROXY UNKNOWN ${'f'.repeat(92)}\r\n`)],
    ['another version', binaryHeader({ kind: 0x31 })],
    ['an unknown command', binaryHeader({ kind: 0x22 })],
    ['UDP', binaryHeader({ family: 0x12 })],
    ['no room for the addresses', binaryHeader({ addresses: Buffer.alloc(11) })],
    ['no room for addresses of IPv6', binaryHeader({ family: 0x21, addresses: Buffer.alloc(35) })],
    ['more behind the addresses than is read', binaryHeaderFrom('192.0.2.7', Buffer.alloc(4096 - 27)).subarray(0, 16)],
  ])('%s', (_name, bytes) => {
    expect(() => readProxyHeader(bytes)).toThrow(ProxyHeaderError)
  })

  test('any bytes are a header, too few for one or none, and nothing else comes of them', () => {
    const signature = '\r\n\r\n\0\r\nQUIT\n'
    const start = fc.constantFrom('PROXY TCP4 ', 'PROXY TCP6 ', `${signature}\x21\x11`, signature, '')
    fc.assert(fc.property(start, fc.uint8Array({ maxLength: 300 }), (text, bytes) => {
      try {
        const header = readProxyHeader(Buffer.concat([Buffer.from(text, 'latin1'), bytes]))
        if (header) expect(header.length).toBeLessThanOrEqual(text.length + bytes.length)
      } catch (error) {
        expect(error).toBeInstanceOf(ProxyHeaderError)
      }
    }), { numRuns: 1000 })
  })
})

test('every address comes out as it went in, in both versions', () => {
  fc.assert(fc.property(fc.ipV4(), source => {
    expect(readProxyHeader(textHeaderFrom(source))?.source).toBe(source)
    expect(readProxyHeader(binaryHeaderFrom(source))?.source).toBe(source)
  }))
})
