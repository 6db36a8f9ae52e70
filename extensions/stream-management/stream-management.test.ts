/** XEP-0198: Stream Management. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { extension, Jid, StanzaError } from '../../src/extension/api.ts'
import { online, subscribes } from '../../src/testing/online.ts'
import { Client, world } from '../../src/testing/world.ts'
import { streamManagement } from './index.ts'

const NS = 'urn:xmpp:sm:3'
const ENABLE = `<enable xmlns='${NS}' resume='true'/>`
const REQUEST = `<r xmlns='${NS}'/>`
const PING = "<iq type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"

/** An archive that forgets. */
const keeper = extension({
  name: 'keeper', xeps: [],
  setup (host) {
    let last = 0
    host.on('receive', 'store', () => ({ id: String(++last), committed: Promise.resolve() }))
  },
})

/** One that takes its time over what is sent. */
function slowKeeper (...commits: readonly Promise<void>[]) {
  return extension({
    name: 'slow-keeper', xeps: [],
    setup (host) {
      let next = 0
      host.on('send', 'store', () => {
        const committed = commits[next++]
        return committed && { id: String(next), committed }
      })
    },
  })
}

/** Sessions wait for this long where a test says nothing else. */
const PATIENCE_MS = 600_000

beforeEach(() => { vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }) })
afterEach(() => { vi.useRealTimers() })

/** Lets time pass, and the server look for who is late. */
function wait (milliseconds: number): void {
  vi.advanceTimersByTime(milliseconds)
}

/** Enables stream management and gives the id for a resumption. */
async function enables (client: Client, request = ENABLE): Promise<string> {
  await client.received()
  await client.sendsNonza(request)
  const [answer = ''] = await client.received()
  return /id='([^']*)'/.exec(answer)?.[1] ?? ''
}

function ack (h: number): string {
  return `<a xmlns='${NS}' h='${h}'/>`
}

function resume (id: string, h: number): string {
  return `<resume xmlns='${NS}' previd='${id}' h='${h}'/>`
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

  test('can not be resumed where nobody can log in to the account again', async () => {
    const { core } = await world(streamManagement)
    const jid = Jid.parse('anonymous@localhost/1')
    const nobody = new Client(core, jid, await core.accounts.open(jid, true))

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

  test('leaves out what was sent before, and is handled after', async () => {
    const gate = Promise.withResolvers<void>()
    const { client } = await world(slowKeeper(gate.promise), streamManagement)
    await client('juliet@localhost/balcony')
    const romeo = await client('romeo@localhost/orchard')
    const said = romeo.says('juliet@localhost', 'hello')

    const enabled = enables(romeo)
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
    const romeo = await client('romeo@localhost/orchard')
    await enables(romeo)

    gate.reject(new StanzaError('internal-server-error'))
    await romeo.says('juliet@localhost', 'hello').catch(() => {})
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

describe('a session whose stream broke', () => {
  test('goes on with what the client does not have, in order, before what is new (§5)', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    const id = await enables(juliet)
    for (const body of ['one', 'two']) await romeo.says('juliet@localhost/balcony', body)
    juliet.leaves()
    for (const body of ['three', 'four']) await romeo.says('juliet@localhost/balcony', body)
    await juliet.received()

    const answer = await juliet.resumes(resume(id, 1))
    await romeo.says('juliet@localhost/balcony', 'five')

    expect(answer).toBe(`<resumed xmlns='${NS}' previd='${id}' h='0'/>`)
    expect(await juliet.receivedInBrief()).toEqual([
      ...['two', 'three', 'four'].map(body => `chat from romeo@localhost/orchard: ${body}`),
      REQUEST,
      'chat from romeo@localhost/orchard: five',
    ])
  })

  test('goes on counting on both sides (§5)', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    const id = await enables(juliet)
    await juliet.sends(PING)
    await romeo.says('juliet@localhost/balcony', 'one')
    juliet.leaves()

    const answer = await juliet.resumes(resume(id, 2))
    await juliet.received()
    await juliet.sends('<presence/>')
    await romeo.says('juliet@localhost/balcony', 'two')
    await juliet.sendsNonza(REQUEST)
    await juliet.sendsNonza(ack(4))

    expect(answer).toContain("h='1'")
    expect(await juliet.received()).toContain(ack(2))
    expect(juliet.ended).toBeUndefined()
  })

  test('can break again, and what is still missing comes again', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    const id = await enables(juliet)
    juliet.leaves()
    for (const body of ['one', 'two']) await romeo.says('juliet@localhost/balcony', body)
    await juliet.resumes(resume(id, 0))
    juliet.leaves()
    await juliet.received()

    await juliet.resumes(resume(id, 1))

    expect(await juliet.receivedInBrief()).toEqual(['chat from romeo@localhost/orchard: two', REQUEST])
  })

  test('says of a message that it was held up, and since when (§4)', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    const id = await enables(juliet)
    juliet.leaves()
    await romeo.says('juliet@localhost/balcony', 'one')

    await juliet.resumes(resume(id, 0))

    expect((await juliet.received())[0]).toMatch(/<delay xmlns='urn:xmpp:delay' from='localhost' stamp='\d{4}-/)
  })

  test('stays available, with its priority and its subscriptions (§5)', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await subscribes(romeo, juliet)
    await juliet.sends('<presence><priority>7</priority></presence>')
    const id = await enables(juliet)
    await romeo.received()

    juliet.leaves()
    wait(PATIENCE_MS / 2)
    await romeo.sends("<presence><status>Who's there?</status></presence>")
    await romeo.says('juliet@localhost', 'to whom it may concern')
    const seen = await romeo.receivedInBrief()
    await juliet.resumes(resume(id, 0))

    expect(seen).toEqual(['available from romeo@localhost/orchard'])
    expect(juliet.session).toMatchObject({ available: true, priority: 7, isInterested: true })
    expect(await juliet.receivedInBrief()).toContain('chat from romeo@localhost/orchard: to whom it may concern')
  })

  test('waits for what is being stored before it says what it has handled', async () => {
    const gate = Promise.withResolvers<void>()
    const { client } = await world(slowKeeper(gate.promise), streamManagement)
    await client('juliet@localhost/balcony')
    const romeo = await client('romeo@localhost/orchard')
    const id = await enables(romeo)
    const said = romeo.says('juliet@localhost', 'hello')
    romeo.leaves()

    const answer = romeo.resumes(resume(id, 0))
    gate.resolve()

    expect(await answer).toContain("h='1'")
    await said
  })

  test('is kept as long as it was promised, and then its contacts see it go', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await subscribes(romeo, juliet)
    await romeo.received()
    const id = await enables(juliet)
    juliet.leaves()

    wait(PATIENCE_MS - 1000)
    const before = await romeo.receivedInBrief()
    wait(2000)

    expect(before).toEqual([])
    expect(await romeo.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
    expect(await juliet.resumes(resume(id, 0))).toMatch(/<failed .*<item-not-found/)
  })

  test('is not kept where the client did not ask for it, or closed the stream (§7)', async () => {
    const { client, core } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    await enables(romeo, `<enable xmlns='${NS}'/>`)
    await enables(juliet)

    romeo.leaves()
    juliet.leaves(false)

    expect(core.accounts.sessionCount).toBe(0)
  })

  test('goes to who comes back while the old stream is still there, and that one ends (§5)', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    const id = await enables(juliet)
    await romeo.says('juliet@localhost/balcony', 'one')
    await juliet.received()

    const answer = await juliet.resumes(resume(id, 0))

    expect(juliet.ended?.condition).toBe('conflict')
    expect(answer).toMatch(/^<resumed /)
    expect(await juliet.receivedInBrief()).toEqual(['chat from romeo@localhost/orchard: one', REQUEST])
  })

  test('hears no more from the old stream while it is being taken over', async () => {
    const gate = Promise.withResolvers<void>()
    const { client } = await world(slowKeeper(gate.promise), streamManagement)
    await client('juliet@localhost/balcony')
    const romeo = await client('romeo@localhost/orchard')
    const id = await enables(romeo)
    const said = romeo.says('juliet@localhost', 'hello')

    const answer = romeo.resumes(resume(id, 0))
    const ended = romeo.ended
    gate.resolve()
    await Promise.all([said, answer])

    expect(ended?.condition).toBe('conflict')
  })

  test('stays when it was resumed, however long', async () => {
    const { client, core } = await world(streamManagement)
    const juliet = await client('juliet@localhost/balcony')
    const id = await enables(juliet)
    juliet.leaves()
    await juliet.resumes(resume(id, 0))

    wait(2 * PATIENCE_MS)

    expect(core.accounts.sessionCount).toBe(1)
  })

  test('ends with the server', async () => {
    const { client, core } = await world(streamManagement)
    const juliet = await client('juliet@localhost/balcony')
    await enables(juliet)
    juliet.leaves()

    await core.unload()

    expect(core.accounts.sessionCount).toBe(0)
  })

  test('ends when its resource is bound anew', async () => {
    const { client } = await world(streamManagement)
    const before = await client('juliet@localhost/balcony')
    const id = await enables(before)
    before.leaves()

    await client('juliet@localhost/balcony')

    expect(await before.resumes(resume(id, 0))).toMatch(/item-not-found/)
  })
})

describe('a resumption fails', () => {
  test('where nobody knows the id (§5)', async () => {
    const { client } = await world(streamManagement)
    const juliet = await client('juliet@localhost/balcony')

    expect(await juliet.resumes(resume('no-such-id', 0))).toBe(
      `<failed xmlns='${NS}'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>`)
  })

  test('where the id is of another account, in the same words, before and after its end', async () => {
    const { client } = await world(streamManagement)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    const id = await enables(juliet)
    await juliet.sends(PING)
    const unknown = await romeo.resumes(resume('no-such-id', 0))

    juliet.leaves()
    const before = await romeo.resumes(resume(id, 0))
    wait(PATIENCE_MS + 1000)
    await romeo.received()

    expect(before).toBe(unknown)
    expect(await romeo.resumes(resume(id, 0))).toBe(unknown)
  })

  test.each([`<resume xmlns='${NS}' h='0'/>`, `<resume xmlns='${NS}' previd='x'/>`, `<resume xmlns='${NS}' previd='x' h='y'/>`])(
    'where it says too little: %s', async request => {
      const { client } = await world(streamManagement)
      const juliet = await client('juliet@localhost/balcony')

      expect(await juliet.resumes(request)).toMatch(/<failed .*<bad-request /)
    })

  test('when the time is up, and yet it tells what was handled (§5)', async () => {
    const { client } = await world(streamManagement)
    const juliet = await client('juliet@localhost/balcony')
    const id = await enables(juliet)
    await juliet.sends(PING)
    await juliet.sends(PING)
    juliet.leaves()
    wait(PATIENCE_MS + 1000)
    await juliet.received()

    expect(await juliet.resumes(resume(id, 0))).toMatch(/^<failed xmlns='urn:xmpp:sm:3' h='2'><item-not-found /)
  })

  test('where more is acknowledged than was sent, and the session waits for a better one (§6)', async () => {
    const { client } = await world(streamManagement)
    const juliet = await client('juliet@localhost/balcony')
    const id = await enables(juliet)
    juliet.leaves()

    await expect(juliet.resumes(resume(id, 1))).rejects.toMatchObject({ condition: 'undefined-condition' })

    expect(await juliet.resumes(resume(id, 0))).toMatch(/^<resumed /)
  })
})

describe('what is left when the time is up', () => {
  async function leavesFor (client: Client, work: () => Promise<void>): Promise<void> {
    client.leaves()
    await work()
    wait(PATIENCE_MS + 1000)
  }

  test('comes back to its sender where it is kept nowhere and nobody else is there', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await enables(juliet)

    await leavesFor(juliet, async () => {
      await romeo.says('juliet@localhost', 'to the account')
      await romeo.says('juliet@localhost/balcony', 'to the device')
      await romeo.sends("<message to='juliet@localhost/balcony'><body>a normal one</body></message>")
    })

    expect(await romeo.receivedInBrief()).toEqual([
      'message error recipient-unavailable from juliet@localhost',
      'message error recipient-unavailable from juliet@localhost/balcony',
      'message error recipient-unavailable from juliet@localhost/balcony',
    ])
  })

  test('is answered where it was a request, and dropped where nothing may answer it', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await subscribes(romeo, juliet)
    await enables(juliet)
    await romeo.received()

    await leavesFor(juliet, async () => {
      await romeo.sends("<iq type='get' id='q' to='juliet@localhost/balcony'><query xmlns='urn:x'/></iq>")
      await romeo.sends("<iq type='result' id='r' to='juliet@localhost/balcony'/>")
      await romeo.sends("<message type='groupchat' to='juliet@localhost/balcony'><body>all</body></message>")
      await romeo.sends("<message type='headline' to='juliet@localhost'><body>news</body></message>")
      await romeo.sends("<message type='error' to='juliet@localhost/balcony'/>")
      await romeo.sends("<presence to='juliet@localhost/balcony'/>")
    })

    expect(await romeo.receivedInBrief()).toEqual([
      'unavailable from juliet@localhost/balcony',
      'iq error recipient-unavailable from juliet@localhost/balcony',
    ])
  })

  test('goes to another device, that did not have it: a chat with the lost device as one with the account', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const balcony = await online(server, 'juliet@localhost/balcony')
    const garden = await online(server, 'juliet@localhost/garden')
    await enables(balcony)

    await leavesFor(balcony, async () => {
      await romeo.says('juliet@localhost', 'to the account')
      await romeo.says('juliet@localhost/balcony', 'to the device')
    })

    expect((await garden.receivedInBrief()).filter(one => one.startsWith('chat'))).toEqual([
      'chat from romeo@localhost/orchard: to the account',
      'chat from romeo@localhost/orchard: to the device',
    ])
    expect(await romeo.receivedInBrief()).toEqual([])
  })

  test('goes to a device that has come since', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const balcony = await online(server, 'juliet@localhost/balcony')
    await enables(balcony)
    balcony.leaves()
    await romeo.says('juliet@localhost', 'to the account')

    const garden = await online(server, 'juliet@localhost/garden')
    wait(PATIENCE_MS + 1000)

    expect(await garden.receivedInBrief()).toContain('chat from romeo@localhost/orchard: to the account')
  })

  test('goes to no device that copies of its messages go to anyway, nor to one that wants none', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const balcony = await online(server, 'juliet@localhost/balcony')
    const garden = await online(server, 'juliet@localhost/garden')
    garden.session.setFlag('urn:xmpp:carbons:2', true)
    const robot = await online(server, 'juliet@localhost/robot')
    await robot.sends('<presence><priority>-1</priority></presence>')
    await garden.received()
    await robot.received()
    await enables(balcony)

    await leavesFor(balcony, () => romeo.says('juliet@localhost/balcony', 'to the device'))

    expect(await garden.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
    expect(await robot.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
  })

  test('is no error where the account sent it itself', async () => {
    const server = await world(streamManagement)
    const balcony = await online(server, 'juliet@localhost/balcony')
    const garden = await online(server, 'juliet@localhost/garden')
    await enables(balcony)
    await garden.received()

    await leavesFor(balcony, () => garden.says('juliet@localhost/balcony', 'a note'))

    expect(await garden.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
  })

  test('is not for other devices where its sender said so (XEP-0334)', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const balcony = await online(server, 'juliet@localhost/balcony')
    const garden = await online(server, 'juliet@localhost/garden')
    await enables(balcony)
    await garden.received()

    await leavesFor(balcony, () => romeo.sends(
      "<message type='chat' to='juliet@localhost/balcony'><body>psst</body><no-copy xmlns='urn:xmpp:hints'/></message>"))

    expect(await garden.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
    expect(await romeo.receivedInBrief()).toEqual(['message error recipient-unavailable from juliet@localhost/balcony'])
  })

  test('stays where it is kept: its sender hears of no error', async () => {
    const server = await world(keeper, streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await enables(juliet)

    await leavesFor(juliet, () => romeo.says('juliet@localhost/balcony', 'to the device'))

    expect(await romeo.receivedInBrief()).toEqual([])
  })

  test('is handed to another device where it is kept, under the id that it has', async () => {
    const server = await world(keeper, streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const balcony = await online(server, 'juliet@localhost/balcony')
    const garden = await online(server, 'juliet@localhost/garden')
    await enables(balcony)
    await garden.received()

    await leavesFor(balcony, () => romeo.says('juliet@localhost/balcony', 'to the device'))

    const [, handed] = await garden.received()
    expect(handed).toMatch(/to the device.*<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@localhost' id='1'\/>/)
    expect(await romeo.receivedInBrief()).toEqual([])
  })

  test('is asked about at once where the client closes its stream', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await enables(juliet)
    for (const body of ['one', 'two']) await romeo.says('juliet@localhost', body)

    await juliet.sendsNonza(ack(1))
    juliet.leaves(false)

    expect(await romeo.receivedInBrief()).toEqual(['message error recipient-unavailable from juliet@localhost'])
  })
})
