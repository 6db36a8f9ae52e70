/** Who was being given what waited for it when its node died is given the rest by the next one. */
import { expect, test } from 'vitest'
import { online } from '../../test/support/world/online.ts'
import { redisNodes } from '../../test/support/cluster/redis-cluster.ts'
import { eventually } from '../../test/support/cluster/redis-bus-node.ts'
import { hasRedis } from '../../test/support/redis/redis.ts'
import type { Client } from '../../test/support/world/world.ts'
import { archive } from '../archive/index.ts'
import { streamManagement } from '../stream-management/index.ts'
import { offline } from './index.ts'

const SM = 'urn:xmpp:sm:3'

/**
 * Reads and acknowledges until nothing more comes; gives the messages' texts. `already` is what it has acknowledged.
 */
async function reads (client: Client, already: number): Promise<readonly string[]> {
  const texts: string[] = []
  let h = already
  for (let quiet = 0; quiet < 20; quiet++) {
    const heard = await client.received()
    if (heard.length === 0) {
      await new Promise(resolve => { setTimeout(resolve, 10) })
      continue
    }
    quiet = 0
    h += heard.filter(xml => /^<(?:message|presence|iq)/.test(xml)).length
    texts.push(...heard.flatMap(xml => /<body>(.*)<\/body>/.exec(xml)?.[1] ?? []))
    await client.sendsNonza(`<a xmlns='${SM}' h='${h}'/>`)
  }
  return texts
}

test.skipIf(!hasRedis())(
  'all that waited comes at the next node, in order and once, and behind it what was stored last and what came meanwhile',
  async () => {
    const { nodes: [a, b] } = await redisNodes(2, archive, offline, streamManagement)
    if (!a || !b) throw new Error('there are two')
    await a.db.query('delete from account')
    await a.db.query('delete from former_account')
    const nurse = await online(a, 'nurse@localhost/room')
    const once = await b.client('juliet@localhost/once')
    once.leaves(false)
    for (let i = 1; i <= 120; i++) await nurse.says('juliet@localhost', String(i))
    const juliet = await b.client('juliet@localhost/balcony')
    await juliet.sendsNonza(`<enable xmlns='${SM}' resume='true'/>`)
    const id = /id='([^']*)'/.exec((await juliet.received()).join(''))?.[1] ?? ''
    await juliet.comesOnline()
    await expect.poll(async () => (await juliet.received()).join('')).toContain('<body>50</body>')
    await nurse.says('juliet@localhost', '121')
    await b.persists()
    const before = (await juliet.received()).filter(xml => xml.includes('<body>'))

    b.dies()
    await eventually(() => { expect(a.cluster.membership.isAlive(b.cluster.homes.incarnation)).toBe(false) })
    // Stored, and its node died before anybody was given it.
    await a.db.query(`
    insert into archive_message (owner, seq, peer, is_sent, sent_at, stanza)
    select owner, 122, peer, is_sent, sent_at, replace(stanza, '121', '122') from archive_message
    where owner = 'juliet@localhost' and seq = 121`)
    await nurse.says('juliet@localhost', '123')
    const again = await a.returns('juliet@localhost/balcony', `<resume xmlns='${SM}' previd='${id}' h='0'/>`)

    expect(before).toEqual([])
    expect(await reads(again, 0)).toEqual(Array.from({ length: 123 }, (_, i) => String(i + 1)))
  })

test.skipIf(!hasRedis())(
  'what was acknowledged is delivered, though the account wrote in between and its node died before',
  async () => {
    const { nodes: [a, b] } = await redisNodes(2, archive, offline, streamManagement)
    if (!a || !b) throw new Error('there are two')
    await a.db.query('delete from account')
    await a.db.query('delete from former_account')
    const nurse = await online(a, 'nurse@localhost/room')
    const juliet = await b.client('juliet@localhost/balcony')
    await juliet.sendsNonza(`<enable xmlns='${SM}' resume='true'/>`)
    const id = /id='([^']*)'/.exec((await juliet.received()).join(''))?.[1] ?? ''
    await juliet.comesOnline()
    await nurse.says('juliet@localhost', '1')
    await expect.poll(async () => (await juliet.received()).join('')).toContain('<body>1</body>')
    await juliet.says('nurse@localhost', '2')
    await expect.poll(async () => (await nurse.received()).join('')).toContain('<body>2</body>')
    await nurse.says('juliet@localhost', '3')
    await expect.poll(async () => (await juliet.received()).join('')).toContain('<body>3</body>')
    await b.persists()

    b.dies()
    await eventually(() => { expect(a.cluster.membership.isAlive(b.cluster.homes.incarnation)).toBe(false) })
    let again: Client | undefined
    await expect.poll(async () => { // until the account is at home here, it is refused
      again = await a.returns('juliet@localhost/balcony', `<resume xmlns='${SM}' previd='${id}' h='0'/>`).catch(() =>
        undefined
      )
      return again
    }, { timeout: 10_000 }).toBeDefined()
    const texts = again && await reads(again, 0)

    expect(texts).toEqual(['1', '3'])
    await expect.poll(async () => (await a.db.query<{ delivered: number }>(
      "select delivered from archive_position where owner = 'juliet@localhost'"))[0]?.delivered).toBe(3)
  })
