/** Where the server of a domain is found, by real DNS packets. */
import { describe, expect, test } from 'vitest'
import { DnsServer } from '../../../test/support/dns/dns-server.ts'
import type { DnsName } from '../../../test/support/dns/dns-server.ts'
import { inOrder } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'
import { Finder, NotFound } from './finder.ts'

async function find (names: Readonly<Record<string, DnsName>>, domain = 'a.test'): Promise<readonly string[]> {
  await using dns = await DnsServer.start(names)
  const finder = new Finder(dns, () => undefined)
  return (await finder.find(domain)).map(written)
}

function written ({ host, port, isDirectTls }: Endpoint): string {
  return `${host}:${port}${isDirectTls ? ' direct' : ''}`
}

describe('services', () => {
  test('of both kinds are mixed by their priority', async () => {
    const found = await find({
      '_xmpp-server._tcp.a.test': {
        srv: [{ priority: 20, port: 5269, target: 'x.test' }, { priority: 5, port: 5, target: 'y.test' }],
      },
      '_xmpps-server._tcp.a.test': { srv: [{ priority: 10, port: 5270, target: 'x.test' }] },
    })

    expect(found).toEqual(['y.test:5', 'x.test:5270 direct', 'x.test:5269'])
  })

  test('of one priority come in an order that their weights make likely', () => {
    const endpoint = { port: 1, isDirectTls: false, priority: 0 }
    const group = [{ ...endpoint, host: 'heavy', weight: 90 }, { ...endpoint, host: 'light', weight: 10 }]

    const firsts = Array.from({ length: 100 }, (_, point) => inOrder(group, () => point / 100)[0]?.host)

    expect(firsts.filter(host => host === 'light').length).toBeGreaterThan(5)
    expect(firsts.filter(host => host === 'heavy').length).toBeGreaterThan(80)
  })

  test('whose target is "." are not offered, and the host of that name is not asked', async () => {
    const notOffered = { '_xmpp-server._tcp.a.test': { srv: [{ port: 0, target: '.' }] }, 'a.test': { a: ['127.0.0.1'] } }

    await expect(find(notOffered)).rejects.toThrow(NotFound)
  })

  test('of one kind are found where the other is not offered', async () => {
    const found = await find({
      '_xmpps-server._tcp.a.test': { srv: [{ port: 0, target: '.' }] },
      '_xmpp-server._tcp.a.test': { srv: [{ port: 7, target: 'x.test' }] },
    })

    expect(found).toEqual(['x.test:7'])
  })

  test('of one kind are found where DNS fails for the other', async () => {
    const found = await find({
      '_xmpps-server._tcp.a.test': { gives: 'failure' },
      '_xmpp-server._tcp.a.test': { srv: [{ port: 7, target: 'x.test' }] },
    })

    expect(found).toEqual(['x.test:7'])
  })
})

describe('without services', () => {
  test('the addresses of the host are found, with the default port', async () => {
    const found = await find({ 'a.test': { a: ['127.0.0.1', '127.0.0.2'], aaaa: ['::1'] } })

    expect(found).toEqual(['::1:5269', '127.0.0.1:5269', '127.0.0.2:5269'])
  })

  test.each(['a.test', 'none.test', `${'x'.repeat(64)}.test`])('and without addresses there is no server: %s', async domain => {
    await expect(find({ 'x.a.test': { a: ['127.0.0.1'] } }, domain)).rejects.toThrow(NotFound)
  })

  test('and with a DNS server that fails there may be one later', async () => {
    const failing: DnsName = { gives: 'failure' }
    const all = { '_xmpp-server._tcp.a.test': failing, '_xmpps-server._tcp.a.test': failing, 'a.test': failing }

    const failure = await find(all).catch((error: unknown) => error)

    expect(failure).toMatchObject({ message: 'DNS gives no answer (ESERVFAIL)' })
    expect(failure).not.toBeInstanceOf(NotFound)
  })

  test('and with services unknown, a missing address is not the last word', async () => {
    const failure = await find({ '_xmpp-server._tcp.a.test': { gives: 'failure' } }).catch((error: unknown) => error)

    expect(failure).not.toBeInstanceOf(NotFound)
  })
})

test.each([['127.0.0.9', '127.0.0.9:5269'], ['[::1]', '::1:5269']])('the address %s is asked of nobody', async (domain, at) => {
  await using dns = await DnsServer.start()

  const found = await new Finder(dns, () => undefined).find(domain)

  expect(found.map(written)).toEqual([at])
  expect(dns.asked).toEqual([])
})

test('a configured address replaces what DNS says', async () => {
  await using dns = await DnsServer.start({ 'a.test': { a: ['127.0.0.1'] } })

  const found = await new Finder(dns, () => ({ host: '127.0.0.2', port: 15269 })).find('a.test')

  expect(found.map(written)).toEqual(['127.0.0.2:15269'])
  expect(dns.asked).toEqual([])
})

test('an internationalized domain is asked for in A-labels', async () => {
  const found = await find({ 'xn--bcher-kva.test': { a: ['127.0.0.1'] } }, 'bücher.test')

  expect(found).toEqual(['127.0.0.1:5269'])
})

test('what DNS says is heard anew each time', async () => {
  await using dns = await DnsServer.start({ 'a.test': { a: ['127.0.0.1'], ttl: 0 } })
  const finder = new Finder(dns, () => undefined)
  const before = await finder.find('a.test')

  dns.names.set('a.test', { a: ['127.0.0.2'], ttl: 0 })
  const after = await finder.find('a.test')

  expect([before, after].map(found => found.map(written))).toEqual([['127.0.0.1:5269'], ['127.0.0.2:5269']])
})
