/** XEP-0198 §3, §4 and §6: what is enabled, and counted on both sides. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { extension, StanzaError } from '../../src/extension/api.ts'
import { online, subscribes } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import {
  ack,
  ENABLE,
  enables,
  NS,
  PING,
  REQUEST,
  resume,
  slowKeeper,
} from '../../test/support/wire/stream-management.ts'
import { streamManagement } from './index.ts'

beforeEach(() => { vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }) })
afterEach(() => { vi.useRealTimers() })

/** Lets time pass, and the server look for who is late. */
function wait (milliseconds: number): void {
  vi.advanceTimersByTime(milliseconds)
}

describe('what is enabled', () => {
  test('is answered without an id where no resumption is asked for (§3)', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')

    await romeo.sendsNonza(`<enable xmlns='${NS}'/>`)

    expect(await romeo.received()).toEqual([`<enabled xmlns='${NS}'/>`])
  })

  test.each(['true', '1'])('can be resumed where resume is %s, for as long as the server waits (§5)', async value => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')

    await romeo.sendsNonza(`<enable xmlns='${NS}' resume='${value}' max='100000'/>`)

    const [answer] = await romeo.received()
    expect(answer).toMatch(/^<enabled xmlns='urn:xmpp:sm:3' id='[^']{20,}' resume='true' max='600'\/>$/)
  })

  test('waits no longer than the client wants (§3)', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')

    const id = await enables(romeo, `<enable xmlns='${NS}' resume='true' max='60'/>`)
    romeo.leaves()
    wait(61_000)

    expect(await romeo.resumes(resume(id, 0))).toMatch(/item-not-found/)
  })

  test('can not be resumed where the server keeps no session', async () => {
    const { client } = await world([streamManagement, { 'resume-seconds': 0, 'queue': 100 }])
    const romeo = await client('romeo@localhost/orchard')

    await romeo.sendsNonza(ENABLE)

    expect(await romeo.received()).toEqual([`<enabled xmlns='${NS}'/>`])
    expect(await romeo.resumes(resume('x', 0))).toMatch(/<failed .*feature-not-implemented/)
  })

  test('is enabled once: a second attempt is refused, and changes nothing (§3)', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')
    const id = await enables(romeo)
    await romeo.sends('<presence/>')

    await romeo.sendsNonza(ENABLE)
    romeo.leaves()

    expect((await romeo.received()).at(-1)).toMatch(/^<failed xmlns='urn:xmpp:sm:3'><unexpected-request /)
    expect(await romeo.resumes(resume(id, 1))).toContain("h='1'")
  })

  test('is nothing where the session has ended before what came before was handled', async () => {
    const commit = Promise.withResolvers<void>()
    const server = await world(slowKeeper(commit.promise), streamManagement)
    const romeo = await server.client('romeo@localhost/orchard')
    const said = romeo.says('juliet@localhost', 'hi')
    await server.idle()
    const enabled = romeo.sendsNonza(ENABLE)

    romeo.leaves()
    commit.resolve()
    await Promise.all([said, enabled])

    expect(romeo.session.flags).toEqual(new Set())
  })

  test('can not be resumed where nobody can log in to the account again', async () => {
    const { guest } = await world(streamManagement)
    const nobody = await guest('anonymous@localhost/1')

    await nobody.sendsNonza(ENABLE)

    expect(await nobody.received()).toEqual([`<enabled xmlns='${NS}'/>`])
  })

  test('is enabled first: what asks, tells or resumes before is refused (§6)', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')

    for (const nonza of [REQUEST, ack(0), resume('x', 0)]) await romeo.sendsNonza(nonza)

    const answers = await romeo.received()
    expect(answers).toHaveLength(3)
    for (const answer of answers) expect(answer).toMatch(/^<failed xmlns='urn:xmpp:sm:3'><unexpected-request /)
  })
})

describe('the count of what the server handled', () => {
  test('begins where stream management is enabled, and counts stanzas of all kinds but nothing else (§4)', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')
    await romeo.sends(PING)
    await enables(romeo)

    await romeo.sendsNonza(REQUEST)
    await romeo.sends('<presence/>')
    await romeo.sends(PING)
    await romeo.says('nobody@localhost', 'hello')
    await romeo.sendsNonza(REQUEST)

    expect((await romeo.received()).filter(xml => xml.startsWith('<a '))).toEqual([ack(0), ack(3)])
  })

  test('leaves out what was sent before and handled after', async () => {
    const gate = Promise.withResolvers<void>()
    const { client } = await world(slowKeeper(gate.promise), streamManagement)
    await client('juliet@localhost/balcony')
    const romeo = await client('romeo@localhost/orchard')
    const said = romeo.says('juliet@localhost', 'hello')

    const enabled = romeo.sendsNonza(ENABLE)
    gate.resolve()
    await Promise.all([said, enabled])
    await romeo.sendsNonza(REQUEST)

    expect((await romeo.received()).at(-1)).toBe(ack(0))
  })

  test('holds a message when it is kept for good, and not before', async () => {
    const gate = Promise.withResolvers<void>()
    const server = await world(slowKeeper(gate.promise), streamManagement)
    const romeo = await server.client('romeo@localhost/orchard')
    await online(server, 'juliet@localhost/balcony')
    await enables(romeo)

    const said = romeo.says('juliet@localhost', 'hello')
    await romeo.sends('<presence/>')
    await romeo.sendsNonza(REQUEST)
    const before = await romeo.received()
    gate.resolve()
    await said

    expect(before.filter(one => one.startsWith('<a '))).toEqual([])
    expect(await romeo.received()).toEqual([ack(2)])
  })

  test('answers each of several questions when its time has come', async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const server = await world(slowKeeper(...gates.map(gate => gate.promise)), streamManagement)
    const romeo = await server.client('romeo@localhost/orchard')
    await online(server, 'juliet@localhost/balcony')
    await enables(romeo)
    const said: Promise<void>[] = []
    for (const _ of gates) {
      said.push(romeo.says('juliet@localhost', 'hello'))
      await romeo.sendsNonza(REQUEST)
    }

    const answers: (readonly string[])[] = []
    for (const gate of gates) {
      gate.resolve()
      answers.push(await romeo.received())
    }
    await Promise.all(said)

    expect(answers).toEqual([[ack(1)], [ack(2)], [ack(3)]])
  })

  test('holds a message that could not be kept: its sender was told', async () => {
    const gate = Promise.withResolvers<void>()
    const { client } = await world(slowKeeper(gate.promise), streamManagement)
    await client('juliet@localhost/balcony')
    const romeo = await client('romeo@localhost/orchard')
    await enables(romeo)

    const said = romeo.says('juliet@localhost', 'hello')
    gate.reject(new StanzaError('internal-server-error'))
    await said.catch(() => {})
    await romeo.sendsNonza(REQUEST)

    expect(await romeo.received()).toContain(ack(1))
  })
})

describe('the client is asked', () => {
  test('once for all the messages of a moment, behind them', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    await enables(juliet)

    await Promise.all(['one', 'two', 'three'].map(body => romeo.says('juliet@localhost/balcony', body)))

    expect((await juliet.receivedInBrief()).at(-1)).toBe(REQUEST)
    expect((await juliet.received())).toEqual([])
  })

  test('again when it has answered and there is news', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    await enables(juliet)

    await romeo.says('juliet@localhost/balcony', 'one')
    const first = await juliet.receivedInBrief()
    await romeo.says('juliet@localhost/balcony', 'two')
    const second = await juliet.receivedInBrief()
    await juliet.sendsNonza(ack(1))
    const third = await juliet.receivedInBrief()
    await juliet.sendsNonza(ack(2))

    expect(first).toEqual(['chat from romeo@localhost/orchard: one', REQUEST])
    expect(second).toEqual(['chat from romeo@localhost/orchard: two'])
    expect(third).toEqual([REQUEST])
    expect(await juliet.receivedInBrief()).toEqual([])
  })

  test('for a few presences not at all, for many once', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await subscribes(juliet, romeo)
    await enables(juliet)

    for (let i = 0; i < 5; i++) await romeo.sends(`<presence><status>${i}</status></presence>`)
    const few = await juliet.receivedInBrief()
    for (let i = 0; i < 30; i++) await romeo.sends(`<presence><status>${i}</status></presence>`)
    const many = await juliet.receivedInBrief()

    expect(few).not.toContain(REQUEST)
    expect(many.filter(one => one === REQUEST)).toHaveLength(1)
  })
})

describe('a client', () => {
  test('that acknowledges more than it was sent has its stream ended (§6)', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    await enables(juliet)
    await romeo.says('juliet@localhost/balcony', 'one')

    await juliet.sendsNonza(ack(2))

    expect(juliet.ended).toMatchObject({
      condition: 'undefined-condition',
      detail: { name: 'handled-count-too-high', ns: NS, attrs: { 'h': '2', 'send-count': '1' } },
    })
  })

  test.each(['', " h=''", " h='-1'", " h='4294967296'", " h='many'"])(
    'that acknowledges no number (%s) has its stream ended', async h => {
      const { client } = await world(streamManagement)
      const juliet = await client('juliet@localhost/balcony')
      await enables(juliet)

      await juliet.sendsNonza(`<a xmlns='${NS}'${h}/>`)

      expect(juliet.ended?.condition).toBe('bad-format')
    })

  test('says of each stanza that it has it, once', async () => {
    const delivered: (string | undefined)[] = []
    const watcher = extension({
      name: 'watcher', xeps: [],
      setup (host) { host.when('stanza.delivered', ({ id }, { jid }) => { delivered.push(`${id} ${jid.resource}`) }) },
    })
    const { client } = await world(streamManagement, watcher)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    const id = await enables(juliet)
    for (const name of ['a', 'b', 'c']) await romeo.sends(`<message id='${name}' to='juliet@localhost/balcony'/>`)

    await juliet.sendsNonza(ack(1))
    await juliet.sendsNonza(ack(1))
    juliet.leaves()
    await juliet.resumes(resume(id, 2))

    expect(delivered).toEqual(['a balcony', 'b balcony'])
  })

  test('that acknowledges nothing loses its session in the end, but not what it was sent', async () => {
    const { client } = await world([streamManagement, { 'resume-seconds': 600, 'queue': 100 }])
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    await enables(juliet)

    for (let i = 0; i <= 100; i++) await romeo.says('juliet@localhost/balcony', String(i))
    await romeo.received().then(errors => expect(errors).toHaveLength(101))

    expect(juliet.ended?.condition).toBe('resource-constraint')
  })

  test('that is away for more than the queue holds loses its session', async () => {
    const { client } = await world([streamManagement, { 'resume-seconds': 600, 'queue': 100 }])
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    const id = await enables(juliet)
    juliet.leaves()

    for (let i = 0; i <= 100; i++) await romeo.says('juliet@localhost/balcony', String(i))

    expect(await romeo.receivedInBrief()).toEqual(
      Array.from({ length: 101 }, () => 'message error recipient-unavailable from juliet@localhost/balcony'))
    expect(await juliet.resumes(resume(id, 0))).toMatch(/item-not-found/)
  })
})
