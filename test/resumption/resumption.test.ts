/** XEP-0198 over sockets, on both transports: connections that break, and clients that come back. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Peer } from '../hostile/peer.ts'
import { startTarget } from '../hostile/server.ts'
import type { Target } from '../hostile/server.ts'
import { attribute, child, Wire } from './wire.ts'
import type { TransportKind } from './wire.ts'

const NS = 'urn:xmpp:sm:3'
const ENABLE = `<enable xmlns='${NS}' resume='true'/>`
const KINDS: readonly TransportKind[] = ['tls', 'websocket']

let target: Target
let round = 0
let romeoName = ''
let julietName = ''
beforeAll(async () => { target = await startTarget() }, 60_000)
afterAll(() => target.stop())
beforeEach(async () => {
  round++
  const registrar = await Peer.open(target)
  await registrar.register(romeoName = `romeo-${round}`)
  await registrar.register(julietName = `juliet-${round}`)
  registrar.destroy()
})

function resume (id: string | undefined, h: number): string {
  return `<resume xmlns='${NS}' previd='${id}' h='${h}'/>`
}

/** Bound, with stream management on; and the id for a resumption. */
async function managed (
  kind: TransportKind,
  name: string,
  resource: string,
): Promise<{ wire: Wire, id: string | undefined }> {
  const wire = await Wire.bind(kind, target, name, resource)
  wire.send(ENABLE)
  return { wire, id: attribute(await wire.expect('enabled'), 'id') }
}

describe.each(KINDS)('over %s', kind => {
  test('a connection that is cut is resumed, and what was missed comes in order, before what is new (§5)', async () => {
    const romeo = await Wire.bind(kind, target, romeoName, 'orchard')
    const { wire: before, id } = await managed(kind, julietName, 'balcony')
    const to = `${julietName}@localhost/balcony`
    for (const body of ['one', 'two']) romeo.says(to, body)
    await before.bodies(2)
    before.send(`<a xmlns='${NS}' h='1'/>`)
    before.cut()
    romeo.says(to, 'three')

    const after = await Wire.logIn(kind, target, julietName)
    after.send(resume(id, 1))
    const resumed = await after.expect('resumed')
    const missed = await after.bodies(2)
    romeo.says(to, 'four')

    expect(resumed.attributes).toEqual(new Map([['previd', id], ['h', '0']]))
    expect(missed).toEqual(['two', 'three'])
    expect(await after.bodies(1)).toEqual(['four'])
    romeo.cut()
    after.cut()
  })

  test('a login binds with stream management on, and another resumes, each in one step (§9)', async () => {
    const romeo = await Wire.bind(kind, target, romeoName, 'garden')
    const before = await Wire.open(kind, target)
    const first = await before.authenticate(
      julietName,
      `<bind xmlns='urn:xmpp:bind:0'><tag>phone</tag>${ENABLE}</bind>`,
    )
    const bound = child(first, 'bound')
    const enabled = bound && child(bound, 'enabled')
    const features = await before.expect('features')
    before.send("<presence xmlns='jabber:client'/>")
    const address = attribute(await before.expect('presence'), 'from')
    before.cut()
    romeo.says(address ?? '', 'missed')

    const after = await Wire.open(kind, target)
    const success = await after.authenticate(julietName, resume(attribute(enabled, 'id'), 1) +
      "<bind xmlns='urn:xmpp:bind:0'><tag>phone</tag></bind>")
    const next = await after.next()

    expect(child(features, 'sm')).toBeUndefined() // it is on
    expect(success.children.map(({ name }) => name)).toEqual(['authorization-identifier', 'resumed'])
    expect(child(success, 'authorization-identifier')?.text).toBe(address)
    expect(attribute(child(success, 'resumed'), 'h')).toBe('1')
    expect(child(next, 'body')?.text).toBe('missed') // no features, and nothing else, comes first
    romeo.cut()
    after.cut()
  })

  test('a login that can not resume binds instead (§9.2)', async () => {
    const wire = await Wire.open(kind, target)

    const success = await wire.authenticate(
      julietName,
      `${resume('gone', 0)}<bind xmlns='urn:xmpp:bind:0'>${ENABLE}</bind>`,
    )

    const failed = child(success, 'failed')
    expect(failed?.children[0]?.name).toBe('item-not-found')
    expect(child(success, 'bound')?.children.map(({ name }) => name)).toEqual(['enabled'])
    await wire.expect('features')
    wire.cut()
  })

  test('who comes back while the old connection seems alive takes its place (§5)', async () => {
    const { wire: before, id } = await managed(kind, julietName, 'porch')

    const after = await Wire.logIn(kind, target, julietName)
    after.send(resume(id, 0))

    await after.expect('resumed')
    expect((await before.expect('error')).children[0]?.name).toBe('conflict')
    before.cut()
    after.send(`<r xmlns='${NS}'/>`)
    expect(attribute(await after.expect('a'), 'h')).toBe('0')
    after.cut()
  })

  test('who fails to resume may bind on the same stream (§5)', async () => {
    const wire = await Wire.logIn(kind, target, julietName)

    wire.send(resume('gone', 0))
    await wire.expect('failed')
    wire.send("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")

    expect(attribute(await wire.expect('iq'), 'type')).toBe('result')
    wire.cut()
  })

  test.each([ENABLE, resume('x', 0)])('%s comes after the login, and is refused before (§3)', async element => {
    const wire = await Wire.open(kind, target)

    wire.send(element)

    expect((await wire.expect('failed')).children[0]?.name).toBe('unexpected-request')
    wire.cut()
  })

  test('nothing is enabled before a resource is bound (§3)', async () => {
    const wire = await Wire.logIn(kind, target, julietName)

    wire.send(ENABLE)

    expect((await wire.expect('failed')).children[0]?.name).toBe('unexpected-request')
    wire.cut()
  })

  test('who sends again what the server did not count is heard once, in order, however often the connection breaks', async () => {
    const count = 300
    const juliet = await Wire.bind(kind, target, julietName, 'ear')
    const heard = juliet.bodies(count)
    let { wire: romeo, id } = await managed(kind, romeoName, 'mouth')
    let handled = 0

    for (let cuts = 0; handled < count; cuts++) {
      for (let i = handled; i < count; i++) romeo.says(`${julietName}@localhost/ear`, String(i))
      if (cuts < 5) {
        romeo.send(`<r xmlns='${NS}'/>`)
        if (cuts % 2 === 0) await romeo.next()
        romeo.cut()
        romeo = await Wire.logIn(kind, target, romeoName)
        romeo.send(resume(id, 0))
        handled = Number(attribute(await romeo.expect('resumed'), 'h'))
      } else {
        romeo.send(`<r xmlns='${NS}'/>`)
        handled = Number(attribute(await romeo.expect('a'), 'h'))
      }
    }

    expect(await heard).toEqual(Array.from({ length: count }, (_, i) => String(i)))
    romeo.cut()
    juliet.cut()
  })
})

test('a session goes on over another transport', async () => {
  const romeo = await Wire.bind('tls', target, romeoName, 'anywhere')
  const { wire: before, id } = await managed('tls', julietName, 'somewhere')
  before.cut()
  romeo.says(`${julietName}@localhost/somewhere`, 'missed')

  const after = await Wire.logIn('websocket', target, julietName)
  after.send(resume(id, 0))
  await after.expect('resumed')

  expect(await after.bodies(1)).toEqual(['missed'])
  romeo.cut()
  after.cut()
})
