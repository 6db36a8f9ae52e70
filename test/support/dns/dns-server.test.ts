import { Resolver } from 'node:dns/promises'
import { describe, expect, test } from 'vitest'
import { DnsServer } from './dns-server.ts'

function resolverFor (server: DnsServer): Resolver {
  const resolver = new Resolver({ timeout: 300, tries: 1 })
  resolver.setServers([`${server.host}:${server.port}`])
  return resolver
}

describe('the DNS server of the tests', () => {
  test('answers addresses of both kinds, with their time to live', async () => {
    await using server = await DnsServer.start({ 'a.test': { a: ['127.0.0.1'], aaaa: ['::1', '2001:db8::5:1'], ttl: 7 } })
    const resolver = resolverFor(server)

    const found = await Promise.all([resolver.resolve4('a.test', { ttl: true }), resolver.resolve6('A.test')])

    expect(found).toEqual([[{ address: '127.0.0.1', ttl: 7 }], ['::1', '2001:db8::5:1']])
    expect(server.asked.toSorted()).toEqual(['A a.test', 'AAAA a.test'])
  })

  test('answers services', async () => {
    const srv = [{ priority: 5, weight: 10, port: 5269, target: 'xmpp.a.test' }]
    await using server = await DnsServer.start({ '_xmpp-server._tcp.a.test': { srv } })

    const found = await resolverFor(server).resolveSrv('_xmpp-server._tcp.a.test')

    expect(found).toMatchObject([{ priority: 5, weight: 10, port: 5269, name: 'xmpp.a.test' }])
  })

  test('tells a name that does not exist from one without such records, a failure and silence', async () => {
    await using server = await DnsServer.start({
      'x.a.test': { a: ['127.0.0.1'] }, 'failing.test': { gives: 'failure' }, 'silent.test': { gives: 'silence' },
    })
    const resolver = resolverFor(server)

    const codes = await Promise.all(['none.test', 'a.test', 'failing.test', 'silent.test'].map(name =>
      resolver.resolve4(name).catch((error: NodeJS.ErrnoException) => error.code)))

    expect(codes).toEqual(['ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'ETIMEOUT'])
  })
})
