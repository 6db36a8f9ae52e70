/** What sessions that wait for their clients may keep, and which of them end where that is too much. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Jid, message } from '../../src/extension/api.ts'
import { online } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { AckQueue } from './ack-queue.ts'
import { enables, resume } from '../../test/support/wire/stream-management.ts'
import { streamManagement } from './index.ts'

beforeEach(() => { vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }) })
afterEach(() => { vi.useRealTimers() })

interface Sleeper { readonly client: Client, readonly id: string }

/** Sessions that wait for their clients, the first the longest. */
async function asleep (server: World, account: string, count: number): Promise<readonly Sleeper[]> {
  const sleepers: Sleeper[] = []
  for (let number = 0; number < count; number++) {
    const client = await online(server, `${account}/${number}`)
    const id = await enables(client)
    await client.received()
    client.leaves()
    vi.advanceTimersByTime(10)
    sleepers.push({ client, id })
  }
  return sleepers
}

/** Which of them can go on. */
async function alive (sleepers: readonly Sleeper[]): Promise<readonly number[]> {
  const answers = await Promise.all(sleepers.map(({ client, id }) => client.resumes(resume(id, 0))))
  return answers.flatMap((answer, index) => answer?.startsWith('<resumed ') ? [index] : [])
}

const MEGABYTE = 'x'.repeat(950_000)

test('what many sessions keep of one message is in memory once', () => {
  const network = Buffer.alloc(100_000)
  const said = message('chat', { to: Jid.parse('juliet@localhost') })
  Object.assign(said, { inner: network.subarray(0, 50_000) })
  const queues = Array.from({ length: 90 }, () => new AckQueue())

  for (const [index, queue] of queues.entries()) {
    queue.push({
      stanza: index % 2 === 0 ? said.copy() : said.withAddress(said.from, said.to),
      at: 0,
      siblingSessions: [],
    })
    queue.settle()
    queue.settle()
  }

  const kept = new Set(queues.map(queue => queue.waiting[0]?.stanza.inner))
  expect(kept.size).toBe(1)
  expect([...kept][0]?.buffer).not.toBe(network.buffer)
})

describe('of an account\'s sessions that wait for their clients', () => {
  test('twenty wait, and those that have waited longest end', async () => {
    const server = await world(streamManagement)
    const sleepers = await asleep(server, 'juliet@localhost', 23)

    expect(await alive(sleepers)).toEqual(Array.from({ length: 20 }, (_, index) => index + 3))
  })

  test('one that has come back is none of them', async () => {
    const server = await world(streamManagement)
    const [first, ...others] = await asleep(server, 'juliet@localhost', 20)
    await first?.client.resumes(resume(first.id, 0))

    const last = await asleep(server, 'juliet@localhost', 1)

    expect(await alive([...others, ...last])).toHaveLength(20)
  })

  test('one that goes on while its stream is still open is none of them', async () => {
    const server = await world(streamManagement)
    const sleepers = await asleep(server, 'juliet@localhost', 20)
    const awake = await online(server, 'juliet@localhost/awake')
    const id = await enables(awake)

    await awake.resumes(resume(id, 0))

    expect(await alive(sleepers)).toHaveLength(20)
  })

  test('those that have waited longest end where all together keep too much, and the others keep it all', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const sleepers = await asleep(server, 'juliet@localhost', 8)

    for (let count = 0; count < 10; count++) await romeo.says('juliet@localhost', MEGABYTE)
    await server.idle()

    const left = await alive(sleepers)
    expect(left).toEqual([1, 2, 3, 4, 5, 6, 7])
    for (const index of left) {
      const heard = await sleepers[index]?.client.receivedInBrief()
      expect(heard?.filter(one => one.startsWith('chat from romeo'))).toHaveLength(10)
    }
  })
})

test('where all accounts together keep too much, the one that keeps most gives way', async () => {
  const server = await world([streamManagement, { 'resume-seconds': 600, 'queue': 5000, 'total-bytes': 5_000_000 }])
  const romeo = await online(server, 'romeo@localhost/orchard')
  const [juliet] = await asleep(server, 'juliet@localhost', 1)
  await romeo.says('juliet@localhost', MEGABYTE)
  const others = await asleep(server, 'nurse@localhost', 2)

  for (let count = 0; count < 3; count++) await romeo.says('nurse@localhost', MEGABYTE)
  await server.idle()

  expect(juliet && await alive([juliet])).toEqual([0])
  expect(await alive(others)).toEqual([1])
})

test('who is told very much of others when he comes online, and is gone, keeps no more than anybody', async () => {
  const server = await world([streamManagement, { 'resume-seconds': 600, 'queue': 5000, 'total-bytes': 100_000 }])
  const sleepers = await asleep(server, 'romeo@localhost', 1)
  for (let number = 0; number < 10; number++) {
    const other = await online(server, `juliet@localhost/${number}`)
    await other.sends(`<presence><status>${'s'.repeat(15_000)}</status></presence>`)
  }
  const juliet = await server.client('juliet@localhost/balcony')
  const id = await enables(juliet)

  juliet.leaves()
  await juliet.sends('<presence/>')
  await server.idle()

  expect(await alive([{ client: juliet, id }])).toEqual([])
  expect(await alive(sleepers)).toEqual([0])
})

test('what is acknowledged makes room again', async () => {
  const server = await world([streamManagement, { 'resume-seconds': 600, 'queue': 5000, 'total-bytes': 3_000_000 }])
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await online(server, 'juliet@localhost/balcony')
  await enables(juliet)

  for (let count = 1; count <= 10; count++) {
    await romeo.says('juliet@localhost', MEGABYTE)
    await juliet.sendsNonza(`<a xmlns='urn:xmpp:sm:3' h='${count}'/>`)
  }
  await server.idle()

  expect(juliet.ended).toBeUndefined()
})
