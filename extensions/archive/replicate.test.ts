/** After the death of an account's node, the next one delivers nothing again. */
import { expect, test } from 'vitest'
import { redisNodes } from '../../test/support/cluster/redis-cluster.ts'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import { eventually } from '../../test/support/cluster/redis-bus-node.ts'
import { hasRedis } from '../../test/support/redis/redis.ts'
import type { Client } from '../../test/support/world/world.ts'
import { carbons } from '../carbons/index.ts'
import { streamManagement } from '../stream-management/index.ts'
import { archive } from './index.ts'

const SM = 'urn:xmpp:sm:3'

/** A client whose session can be resumed, and the id of that. */
async function resumable (node: Node, jid: string): Promise<{ readonly client: Client, readonly id: string }> {
  const client = await node.client(jid)
  await client.sendsNonza(`<enable xmlns='${SM}' resume='true'/>`)
  const id = /id='([^']*)'/.exec((await client.received()).join(''))?.[1] ?? ''
  await client.asks('set', "<enable xmlns='urn:xmpp:carbons:2'/>")
  await client.comesOnline()
  return { client, id }
}

/** Resumes at that node once the account can be there. */
async function resumes (node: Node, jid: string, id: string): Promise<Client> {
  let client: Client | undefined
  await expect.poll(async () => {
    client = await node.returns(jid, `<resume xmlns='${SM}' previd='${id}' h='0'/>`).catch(() => undefined)
    return client
  }, { timeout: 10_000 }).toBeDefined()
  if (!client) throw new Error('it has not come back')
  return client
}

test.skipIf(!hasRedis())(
  "what an account's only session sent is not copied to a device that logged in later when its node dies",
  async () => {
    const { nodes: [a, b] } = await redisNodes(2, archive, carbons, streamManagement)
    if (!a || !b) throw new Error('there are two')
    await a.db.query('delete from account')
    await a.db.query('delete from former_account')
    await a.client('nurse@localhost/room')
    const balcony = await resumable(b, 'juliet@localhost/balcony')
    await balcony.client.says('nurse@localhost', 'old')
    const phone = await resumable(b, 'juliet@localhost/phone')
    await b.persists()

    b.dies()
    await eventually(() => { expect(a.cluster.membership.isAlive(b.cluster.homes.incarnation)).toBe(false) })
    const [again, late] = [
      await resumes(a, 'juliet@localhost/balcony', balcony.id),
      await resumes(a, 'juliet@localhost/phone', phone.id),
    ]
    await again.says('nurse@localhost', 'new')

    const heard: string[] = []
    await expect.poll(async () => {
      heard.push(...(await late.received()).flatMap(xml => /<body>(.*)<\/body>/.exec(xml)?.[1] ?? []))
      return heard
    }).toContain('new')
    expect(heard).toEqual(['new'])
  })
