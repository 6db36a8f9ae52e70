import { expect, test } from 'vitest'
import { Networks, parseNetwork, PRIVATE_NETWORKS } from './networks.ts'

test.each([
  ['10.0.0.5', { address: '10.0.0.5', prefix: 32, family: 'ipv4' }],
  ['10.0.0.0/8', { address: '10.0.0.0', prefix: 8, family: 'ipv4' }],
  ['0.0.0.0/0', { address: '0.0.0.0', prefix: 0, family: 'ipv4' }],
  ['fd00::/8', { address: 'fd00::', prefix: 8, family: 'ipv6' }],
  ['::1', { address: '::1', prefix: 128, family: 'ipv6' }],
])('%s is a network', (text, expected) => {
  expect(parseNetwork(text)).toEqual(expected)
})

test.each([
  '', '10.0.0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/8/8', 'fd00::/129', 'localhost', '::1%lo',
])('"%s" is none', text => {
  expect(parseNetwork(text)).toBeUndefined()
})

test.each([
  ['127.0.0.1', true], ['127.9.9.9', true], ['::1', true], ['10.255.0.1', true], ['172.31.255.255', true],
  ['192.168.1.1', true], ['fd12:3456::1', true],
  ['172.32.0.1', false], ['11.0.0.1', false], ['203.0.113.5', false], ['2001:db8::1', false], ['fe80::1%eth0', false],
])('%s is private: %s', (address, expected) => {
  expect(new Networks(PRIVATE_NETWORKS).includes(address)).toBe(expected)
})

test('the zone of an address is not compared', () => {
  expect(new Networks(['fe80::/10']).includes('fe80::1%eth0')).toBe(true)
})

test('what is no network is not taken for one', () => {
  expect(() => new Networks(['10.0.0.0/8', 'balancer'])).toThrow('"balancer" is neither an address nor a network')
})
