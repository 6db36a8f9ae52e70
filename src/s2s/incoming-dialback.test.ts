/** XEP-0220 on the side that is connected to: as the receiving and as the authoritative server. */
import { describe, expect, test } from 'vitest'
import { federated, SECRET } from '../../test/support/world/federated.ts'
import type { Federated } from '../../test/support/world/federated.ts'
import type { ServerWire } from '../../test/support/wire/server-wire.ts'
import { world } from '../../test/support/world/world.ts'
import type { Verifier } from './incoming-dialback.ts'
import { LinkError } from './link.ts'
import { dialbackKey } from './trust/dialback-key.ts'

const settings = { trust: 'dialback' as const }

/** A server on whose stream dialback may begin, and that stream's id. */
async function ready (
  options: { verify?: Verifier['verify'], block?: readonly string[] } = {}, domain = 'remote.example',
): Promise<{ server: Federated, wire: ServerWire, id: string }> {
  const server = await federated(await world(), {
    settings: { ...settings, block: options.block ?? [] }, ...(options.verify ? { verify: options.verify } : {}),
  })
  return { server, ...await secured(server, domain) }
}

async function secured (server: Federated, domain: string): Promise<{ wire: ServerWire, id: string }> {
  const wire = await server.connects(domain)
  await wire.secures()
  const id = / id='([^']+)'/.exec(await wire.opens())?.[1] ?? ''
  return { wire, id }
}

function result (from: string, to = 'localhost', key = 'key'): string {
  return `<db:result from='${from}' to='${to}'>${key}</db:result>`
}

describe('as the receiving server', () => {
  test('a domain whose own server knows the key is proven for this pair, and asked for this stream', async () => {
    const asked: unknown[] = []
    const { server, wire, id } = await ready({ verify: async (...question) => {
      asked.push(question)
      return true
    } })

    wire.send(result('remote.example'))

    await wire.expectHeard("<db:result from='localhost' to='remote.example' type='valid'/>")
    expect(asked).toEqual([['remote.example', 'localhost', id, 'key']])
    expect(server.logged('federation.proven')).toMatchObject([{ remote: 'remote.example', by: 'dialback' }])
  })

  test('more pairs are proven on the same stream, and each for itself', async () => {
    const { server, wire } = await ready({ verify: async () => true })

    for (const [from, to] of [
      ['remote.example', 'localhost'], ['rooms.remote.example', 'localhost'], ['remote.example', 'conference.localhost'],
    ] as const) {
      wire.send(result(from, to))
      await wire.expectHeard(`<db:result from='${to}' to='${from}' type='valid'/>`)
    }

    expect([...server.streams]).toHaveLength(3)
    wire.send("<presence from='rooms.remote.example/a' to='conference.localhost'/>")
    await wire.expectHeard('<invalid-from')
  })

  test('a forged key ends a stream that has proven nothing, which is logged', async () => {
    const { server, wire } = await ready({ verify: async () => false })

    wire.send(result('remote.example'))

    expect(await wire.untilClosed()).toMatch(/type='invalid'\/><\/stream:stream>$/)
    expect(server.logged('federation.')).toMatchObject([
      { event: 'federation.refused', remote: 'remote.example', reason: expect.stringContaining('dialback key') },
    ])
  })

  test('a forged key costs what was proven before nothing', async () => {
    const { server, wire } = await ready({ verify: async originating => originating === 'remote.example' })
    wire.send(result('remote.example'))
    await wire.expectHeard("type='valid'/>")

    wire.send(result('victim.example'))

    expect(await wire.expectHeard('</db:result>')).toContain('<forbidden ')
    expect([...server.streams]).toHaveLength(1)
  })

  test.each([
    ['of a domain that is blocked', 'blocked.example', 'localhost', 'policy-violation'],
    ['of a domain that is served here', 'conference.localhost', 'localhost', 'policy-violation'],
    ['for a domain that is not', 'remote.example', 'elsewhere.example', 'item-not-found'],
  ])('a key %s is refused, and nobody is asked', async (_, from, to, condition) => {
    const { wire } = await ready({ block: ['blocked.example'] })

    wire.send(result(from, to))

    expect(await wire.expectHeard('</db:result>')).toMatch(new RegExp(`type='error'.*<${condition} `))
  })

  test.each([
    ['does not exist', 'not-found', 'remote-server-not-found'], ['does not answer', 'unreachable', 'remote-server-timeout'],
  ] as const)('where the server to ask %s, the peer is told, and the stream goes on', async (_, kind, condition) => {
    const { wire } = await ready({ verify: () => Promise.reject(new LinkError(kind, 'no')) })

    wire.send(result('remote.example') + result('remote.example'))

    for (let n = 0; n < 2; n++) expect(await wire.expectHeard('</db:result>')).toContain(`<${condition} `)
  })

  test('a domain that must have a certificate is not proven by dialback on the stream of another', async () => {
    const server = await federated(await world())
    const wire = await server.proves('remote.example')

    wire.send(result('victim.example'))

    expect(await wire.expectHeard('</db:result>')).toContain('<not-authorized ')
    expect(server.logged('federation.refused')).toMatchObject([{ remote: 'victim.example' }])
  })

  test('a stream that asks for many domains that it can not prove is ended', async () => {
    const server = await federated(await world())
    const wire = await server.proves('remote.example')

    for (let n = 0; n < 50; n++) wire.send(result(`victim${n}.example`))

    expect(await wire.untilClosed()).toContain('<stream:error><policy-violation ')
    expect(server.logged('federation.refused').length).toBeLessThan(25)
  })

  test('a certificate proves another of its domains without a question', async () => {
    const server = await federated(await world())
    const wire = await server.connects('remote.example')
    await wire.proves(server.authority.issue({ hosts: ['remote.example', 'rooms.remote.example'] }))

    wire.send(result('rooms.remote.example'))

    await wire.expectHeard("<db:result from='localhost' to='rooms.remote.example' type='valid'/>")
    expect([...server.streams]).toMatchObject([{ provenBy: 'certificate' }, { provenBy: 'certificate' }])
  })

  test.each([
    ['valid result', "<db:result from='remote.example' to='localhost' type='valid'/>"],
    ['valid verification', "<db:verify from='remote.example' to='localhost' id='x' type='valid'/>"],
  ])('a %s that nobody asked for proves nothing, and ends the stream', async (_, xml) => {
    const { server, wire } = await ready({ verify: () => new Promise(() => {}) })
    wire.send(result('remote.example'))

    wire.send(xml)

    expect(await wire.untilClosed()).toContain('<policy-violation ')
    expect([...server.streams]).toEqual([])
  })

  test('stanzas before the proof end the stream', async () => {
    const { wire } = await ready({ verify: () => new Promise(() => {}) })
    wire.send(result('remote.example'))

    wire.send("<message from='a@remote.example' to='b@localhost'/>")

    expect(await wire.untilClosed()).toContain('<not-authorized ')
  })

  test('of a flood of keys few are asked about at a time, of one stream and of one address', async () => {
    let asked = 0
    const { server, wire } = await ready({ verify: () => {
      asked++
      return new Promise(() => {})
    } })

    for (const [index, flooded] of [wire, ...await others(server, 4)].entries()) {
      for (let n = 0; n < 20; n++) flooded.send(result(`a${n}.s${index}.example`))
      for (let n = 0; n < 10; n++) await flooded.expectHeard('<resource-constraint ')
    }

    expect(asked).toBe(30)
  })
})

async function others (server: Federated, count: number): Promise<readonly ServerWire[]> {
  return Promise.all(Array.from({ length: count }, async () => (await secured(server, 'remote.example')).wire))
}

describe('as the authoritative server', () => {
  const verify = (id: string, key: string, from = 'remote.example', to = 'localhost'): string =>
    `<db:verify from='${from}' to='${to}' id='${id}'>${key}</db:verify>`

  test('it knows its own keys, on a stream that has proven nothing', async () => {
    const { wire } = await ready()

    wire.send(verify('their-id', dialbackKey(SECRET, 'remote.example', 'localhost', 'their-id')))

    await wire.expectHeard("<db:verify from='localhost' to='remote.example' id='their-id' type='valid'/>")
  })

  test.each([
    ['of another stream', dialbackKey(SECRET, 'remote.example', 'localhost', 'stolen')],
    ['for another server', dialbackKey(SECRET, 'other.example', 'localhost', 'their-id')],
    ['of another domain', dialbackKey(SECRET, 'remote.example', 'conference.localhost', 'their-id')],
    ['that is empty', ''],
  ])('a key %s is invalid', async (_, key) => {
    const { wire } = await ready()

    wire.send(verify('their-id', key))

    await wire.expectHeard("<db:verify from='localhost' to='remote.example' id='their-id' type='invalid'/>")
  })

  test('a stream for keys alone ends without a word in the log', async () => {
    const { server, wire } = await ready()
    wire.send(verify('their-id', 'key'))
    await wire.expectHeard('<db:verify')

    server.passes(31_000)

    expect(await wire.untilClosed()).toContain('<connection-timeout ')
    expect(server.logged('federation.')).toEqual([])
  })

  test('it says nothing of domains that it does not serve', async () => {
    const { wire } = await ready()

    wire.send(verify('their-id', 'key', 'remote.example', 'elsewhere.example'))

    expect(await wire.expectHeard('</db:verify>')).toContain('<item-not-found ')
  })

  test('it answers a flood of questions in order, without a state', async () => {
    const { wire } = await ready()
    const key = (id: number): string => dialbackKey(SECRET, 'remote.example', 'localhost', String(id))

    for (let id = 0; id < 1000; id++) wire.send(verify(String(id), id % 2 === 0 ? key(id) : 'forged'))

    for (let id = 0; id < 1000; id++) {
      expect(await wire.expectHeard('/>')).toContain(`id='${id}' type='${id % 2 === 0 ? 'valid' : 'invalid'}'`)
    }
  })
})

test.each([
  ['without addresses', '<db:result>key</db:result>', 'improper-addressing'],
  ['between accounts', "<db:result from='a@remote.example' to='localhost'>key</db:result>", 'improper-addressing'],
  ['without an id', "<db:verify from='remote.example' to='localhost'>key</db:verify>", 'bad-format'],
  ['of an unknown kind', "<db:other from='remote.example' to='localhost'>key</db:other>", 'bad-format'],
])('an element of dialback %s ends the stream', async (_, xml, condition) => {
  const { wire } = await ready()

  wire.send(xml)

  expect(await wire.untilClosed()).toContain(`<${condition} `)
})
