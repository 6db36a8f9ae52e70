/** XEP-0198 §5: sessions that go on, and those that do not. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { online, subscribes } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client } from '../../test/support/world/world.ts'
import {
  ack,
  enables,
  NS,
  PATIENCE_MS,
  PING,
  REQUEST,
  resume,
  slowKeeper,
} from '../../test/support/wire/stream-management.ts'
import { streamManagement } from './index.ts'

/** Juliet's stream is gone, three messages wait for it, and her client reads no more than one at a time. */
async function threeMissed (): Promise<{ romeo: Client, juliet: Client, id: string, readsOn: () => void }> {
  const { client } = await world(streamManagement)
  const romeo = await client('romeo@localhost/orchard')
  const juliet = await client('juliet@localhost/balcony')
  const id = await enables(juliet)
  juliet.leaves()
  for (const body of ['one', 'two', 'three']) await romeo.says('juliet@localhost/balcony', body)
  const readsOn = juliet.hasEnough()
  return { romeo, juliet, id, readsOn }
}

beforeEach(() => { vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }) })
afterEach(() => { vi.useRealTimers() })

/** Romeo, whose session has that id, and what he says to Juliet, which is being kept until `keep` is called. */
async function beingKept () {
  const { promise, resolve: keep } = Promise.withResolvers<void>()
  const { client } = await world(slowKeeper(promise), streamManagement)
  await client('juliet@localhost/balcony')
  const romeo = await client('romeo@localhost/orchard')
  const id = await enables(romeo)
  return { romeo, id, said: romeo.says('juliet@localhost', 'hello'), keep }
}

function chat (body: string): string {
  return `chat from romeo@localhost/orchard: ${body}`
}

function isMessage (line: string): boolean {
  return line.startsWith('chat')
}

/** Lets time pass, and the server look for who is late. */
function wait (milliseconds: number): void {
  vi.advanceTimersByTime(milliseconds)
}

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

  test('is sent no more of that at once than its client reads, and what is new comes behind it (§5)', async () => {
    const { romeo, juliet, id, readsOn } = await threeMissed()

    await juliet.resumes(resume(id, 0))
    await romeo.says('juliet@localhost/balcony', 'four')
    const first = await juliet.receivedInBrief()
    readsOn()
    const rest = await juliet.receivedInBrief()

    expect(first.filter(isMessage)).toEqual(['one'].map(chat))
    expect(rest.filter(isMessage)).toEqual(['two', 'three', 'four'].map(chat))
  })

  test('that breaks again before its client has read all goes on from what it has, in order (§5)', async () => {
    const { romeo, juliet, id, readsOn } = await threeMissed()
    await juliet.resumes(resume(id, 0))
    await romeo.says('juliet@localhost/balcony', 'four')
    await juliet.received()

    juliet.leaves()
    readsOn()
    await juliet.resumes(resume(id, 1))
    await romeo.says('juliet@localhost/balcony', 'five')
    const heard = await juliet.receivedInBrief()

    expect(heard.filter(isMessage)).toEqual(['two', 'three', 'four', 'five'].map(chat))
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
    const { romeo, id, said, keep } = await beingKept()
    romeo.leaves()

    const answer = romeo.resumes(resume(id, 0))
    keep()

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
    const { romeo, id, said, keep } = await beingKept()

    const answer = romeo.resumes(resume(id, 0))
    const ended = romeo.ended
    keep()
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

  test.each([
    `<resume xmlns='${NS}' h='0'/>`,
    `<resume xmlns='${NS}' previd='x'/>`,
    `<resume xmlns='${NS}' previd='x' h='y'/>`,
  ])(
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

  test('and tells it of the last twenty sessions of each account, however many of another have ended since', async () => {
    const server = await world(streamManagement)
    const ends = async (jid: string): Promise<{ readonly client: Client, readonly id: string }> => {
      const client = await server.client(jid)
      const id = await enables(client)
      client.leaves()
      wait(PATIENCE_MS + 1000)
      await client.received()
      return { client, id }
    }
    const juliets = await ends('juliet@localhost/balcony')
    const romeos = []
    for (let count = 0; count < 21; count++) romeos.push(await ends(`romeo@localhost/${count}`))

    const told = await Promise.all([juliets, ...romeos].map(({ client, id }) => client.resumes(resume(id, 0))))

    expect(told.map(answer => answer?.includes(" h='0'"))).toEqual([
      true,
      false,
      ...Array.from({ length: 20 }, () => true),
    ])
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
