/**
 * A room of thousands on two nodes, with figures: everybody comes in, what is said reaches all once and in order, and
 * no turn of the event loop is taken by one room for long. It takes a while: only where ROOM_SIZE says how many.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { expect, test } from 'vitest'
import { archive } from '../../extensions/archive/index.ts'
import { RedisNodes } from '../../test/support/cluster/redis-cluster.ts'
import { configures, COVEN, enters, hears, says } from '../../test/support/world/rooms.ts'
import type { Client } from '../../test/support/world/world.ts'

const SIZE = Number(process.env['ROOM_SIZE'] ?? 0)
const DEVICES = 100
const MESSAGES = 10

test.skipIf(SIZE === 0)(`a room of ${SIZE} on two nodes`, { timeout: 600_000 }, async () => {
  const servers = await RedisNodes.begin([archive])
  const nodes = [await servers.start(), await servers.start()] as const
  for (const { cluster } of nodes) await expect.poll(() => cluster.membership.nodes.length).toBe(2)
  const crone = await nodes[0].client('crone1@localhost/desktop')
  await enters(crone, 'firstwitch')
  await configures(crone, { maxusers: String(SIZE), presencebroadcast: ['moderator'] })
  const witches: Client[] = []
  const seconds: Record<string, number> = {}
  const measure = async (what: string, task: () => Promise<void>): Promise<void> => {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const since = performance.now()
    await task()
    seconds[what] = Math.round(performance.now() - since) / 1000
    seconds[`${what}, longest turn`] = Math.round(delay.max / 1e6) / 1000
    delay.disable()
  }

  await measure('joins', async () => {
    for (let number = 1; number < SIZE; number++) {
      const account = Math.floor(number / DEVICES)
      const client = await nodes[account % 2 === 0 ? 0 : 1].client(`witch${account}@localhost/${number}`)
      await enters(client, `witch${number}`)
      witches.push(client)
    }
    for (const client of witches) await heard(client, line => line.startsWith('subject'))
  })
  const received: (readonly string[])[] = []
  await measure('messages', async () => {
    for (let number = 1; number <= MESSAGES; number++) await says(crone, `${number}`)
    for (const client of witches) received.push(await heard(client, line => line === `firstwitch: ${MESSAGES}`))
  })
  await configures(crone, { presencebroadcast: ['moderator', 'participant', 'visitor'] })
  const last = witches.at(-1) ?? expect.fail('nobody')
  await measure('one more, whom all see', async () => {
    await last.sends(`<presence type='unavailable' to='${COVEN}/witch${SIZE - 1}'/>`)
    await enters(last, 'newcomer')
    await heard(last, line => line.startsWith('subject'))
    for (const client of witches.slice(0, -1)) await heard(client, line => line.startsWith('newcomer '))
  })

  console.log(`a room of ${SIZE}:`, seconds)
  const all = Array.from({ length: MESSAGES }, (_, at) => `firstwitch: ${at + 1}`)
  for (const lines of received) expect(lines.filter(line => line.startsWith('firstwitch: '))).toEqual(all)
})

async function heard (client: Client, isLast: (line: string) => boolean): Promise<readonly string[]> {
  const all: string[] = []
  await expect.poll(async () => {
    all.push(...await hears(client))
    return all.some(isLast)
  }, { timeout: 60_000, interval: 50 }).toBe(true)
  return all
}
