/** What was held for an inactive client when its node died comes when it resumes its session at the next one. */
import { expect, test } from 'vitest'
import { redisNodes } from '../../test/support/cluster/redis-cluster.ts'
import { eventually } from '../../test/support/cluster/redis-bus-node.ts'
import { hasRedis } from '../../test/support/redis/redis.ts'
import { enables, resume } from '../../test/support/wire/stream-management.ts'
import { online, subscribes } from '../../test/support/world/online.ts'
import type { Client } from '../../test/support/world/world.ts'
import { streamManagement } from '../stream-management/index.ts'
import { clientState } from './index.ts'

test.skipIf(!hasRedis())('what was held when a node died comes at the resumption, the newest of each sender', async () => {
  const { nodes: [a, b] } = await redisNodes(2, clientState, streamManagement)
  if (!a || !b) throw new Error('there are two')
  await a.db.query('delete from account')
  await a.db.query('delete from former_account')
  const romeo = await online(a, 'romeo@localhost/orchard')
  const juliet = await online(b, 'juliet@localhost/balcony')
  const laptop = await online(b, 'juliet@localhost/laptop')
  await subscribes(juliet, romeo)
  await eventually(async () => { expect((await juliet.received()).join('')).toBe('') })
  const id = await enables(juliet)
  await juliet.sendsNonza("<inactive xmlns='urn:xmpp:csi:0'/>")
  await romeo.sends('<presence><show>away</show></presence>')
  await romeo.sends('<presence><show>dnd</show></presence>')
  await expect.poll(async () => (await laptop.received()).join(''), { timeout: 10_000 }).toContain('dnd')
  await b.persists()

  b.dies()
  await eventually(() => { expect(a.cluster.membership.isAlive(b.cluster.homes.incarnation)).toBe(false) })
  let back: Client | undefined
  await expect.poll(async () => { // until the account is at home here, it is refused
    back = await a.returns('juliet@localhost/balcony', resume(id, 0)).catch(() => undefined)
    return back
  }, { timeout: 10_000 }).toBeDefined()

  const shows: string[] = []
  await eventually(async () => {
    shows.push(...(await back?.received() ?? []).flatMap(xml => /<show>(.*?)</.exec(xml)?.[1] ?? []))
    expect(shows).toEqual(['dnd'])
  })
})
