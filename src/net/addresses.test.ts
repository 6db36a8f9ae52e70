import { describe, expect, test } from 'vitest'
import { AddressLimit, parseListenAddress, plainAddress } from './addresses.ts'

describe('addresses to listen on', () => {
  test.each([
    ['0.0.0.0:5222', { host: '0.0.0.0', port: 5222 }],
    ['[::1]:5222', { host: '::1', port: 5222 }],
    ['[::]:0', { host: '::', port: 0 }],
    ['localhost:65535', { host: 'localhost', port: 65535 }],
  ])('%s is one', (text, expected) => {
    expect(parseListenAddress(text)).toEqual(expected)
  })

  test.each([
    '5222', ':5222', '::1:5222', '[::1]', '[127.0.0.1]:1', '127.0.0.1:65536', 'example.org:5222', '127.0.0.1:', '',
  ])('"%s" is none', text => {
    expect(parseListenAddress(text)).toBeUndefined()
  })
})

describe('connections per address', () => {
  test('an IPv4 address is the same on an IPv6 socket', () => {
    expect(plainAddress('::ffff:192.0.2.1')).toBe('192.0.2.1')
    expect(plainAddress('2001:db8::1')).toBe('2001:db8::1')
  })

  test('an address has as many as the limit says, and room again when one ends', () => {
    const limit = new AddressLimit(2)

    const taken = ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2'].map(address => limit.take(address))
    limit.release('192.0.2.1')
    const again = [limit.take('192.0.2.1'), limit.take('192.0.2.1')]

    expect(taken).toEqual([true, true, false, true])
    expect(again).toEqual([true, false])
  })

  test('the addresses of one IPv6 network share the limit', () => {
    const limit = new AddressLimit(1)

    const taken = ['2001:db8::1', '2001:db8:0:0:5:6:7:8', '2001:db8:0:1::1', '::1', '::2', 'fe80::1%eth0']
      .map(address => limit.take(address))

    expect(taken).toEqual([true, false, true, true, false, true])
  })

  test('0 is no limit', () => {
    const limit = new AddressLimit(0)

    const taken = Array.from({ length: 1000 }, () => limit.take('192.0.2.1'))

    expect(taken).not.toContain(false)
  })
})
