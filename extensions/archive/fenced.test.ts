/**
 * Two nodes that both think that they are an account's home: the database lets one of them write, and they find out.
 */
import { describe, expect, test } from 'vitest'
import { redisNodes } from '../../test/support/cluster/redis-cluster.ts'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import { eventually } from '../../test/support/cluster/redis-bus-node.ts'
import { hasRedis } from '../../test/support/redis/redis.ts'
import { carbons } from '../carbons/index.ts'
import { archive } from './index.ts'

const JULIET = 'juliet@localhost'
const REFUSED = 'try again'

/** A node, another where Juliet is at home, and Redis says that her home is the first; she is online there too. */
async function misled () {
  const { nodes: [wrong, right] } = await redisNodes(2, archive, carbons)
  if (!wrong || !right) throw new Error('there are two')
  await wrong.db.query('delete from account')
  await wrong.db.query('delete from former_account')
  const stale = await wrong.client(`${JULIET}/balcony`)
  await stale.comesOnline()
  await wrong.cluster.redis.commands.set(`hg:home:${JULIET}`, right.cluster.homes.incarnation)
  const juliet = await right.client(`${JULIET}/balcony`)
  await juliet.comesOnline()
  await Promise.all([stale.received(), juliet.received()])
  return { wrong, right, stale, juliet }
}

async function archived ({ db }: Node): Promise<readonly string[]> {
  const rows = await db.query<{ seq: number, stanza: string }>(
    'select seq, stanza from archive_message where owner = $1 order by seq', [JULIET])
  return rows.map(({ seq, stanza }) => `${seq} ${/<body>(.*)<\/body>/.exec(stanza)?.[1]}`)
}

describe.skipIf(!hasRedis())('a node that is not an account\'s home any more', () => {
  test('finds out when it can\'t write, and ends the account\'s streams so that clients come back', async () => {
    const { wrong, right, stale, juliet } = await misled()
    const nurse = await right.client('nurse@localhost/room')
    await nurse.says(JULIET, 'one')

    await expect(stale.says('nurse@localhost', 'late')).rejects.toThrow(REFUSED)

    await eventually(() => { expect(stale.ended?.condition).toBe('internal-server-error') })
    expect(wrong.core.accounts.peek(stale.session.account.jid)).toBeUndefined()
    expect(juliet.ended).toBeUndefined()
    const romeo = await wrong.client('romeo@localhost/orchard')
    await romeo.says(JULIET, 'two') // it knows the way now
    expect(await archived(right)).toEqual(['1 one', '2 two'])
  })

  test('has written something: the home numbers what comes behind it, and hands it to its sessions, in order', async () => {
    const { wrong, right, stale, juliet } = await misled()
    const romeo = await wrong.client('romeo@localhost/orchard')
    const nurse = await right.client('nurse@localhost/room')
    await romeo.says(JULIET, 'one')
    await romeo.says(JULIET, 'two')

    await expect(nurse.says(JULIET, 'refused')).rejects.toThrow(REFUSED)
    await eventually(() => nurse.says(JULIET, 'three'))

    expect(await archived(right)).toEqual(['1 one', '2 two', '3 three'])
    expect((await juliet.receivedInBrief()).map(one => one.split(': ')[1])).toEqual(['one', 'two', 'three'])
    expect(juliet.ended).toBeUndefined()
    expect((await stale.receivedInBrief()).map(one => one.split(': ')[1])).toEqual(['one', 'two'])
  })

  test('becomes the home again later, and goes on where the archive ends', async () => {
    const { wrong, right, stale, juliet } = await misled()
    const nurse = await right.client('nurse@localhost/room')
    await nurse.says(JULIET, 'one')
    await expect(stale.says('nurse@localhost', 'late')).rejects.toThrow(REFUSED)
    await eventually(() => { expect(stale.ended).toBeDefined() })
    juliet.leaves(false)

    await right.core.accounts.giveUp(juliet.session.account, wrong.cluster.homes.incarnation)
    const again = await wrong.client(`${JULIET}/balcony`)
    await again.comesOnline()
    await nurse.says(JULIET, 'two')

    expect(await archived(right)).toEqual(['1 one', '2 two'])
    await expect.poll(async () => (await again.received()).join()).toContain('two')
  })
})
