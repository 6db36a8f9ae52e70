/** What becomes of accounts when their home is given up, dies, or was taken for dead: as if nothing had happened. */
import { describe, expect, test } from 'vitest'
import { archive } from '../../extensions/archive/index.ts'
import { carbons } from '../../extensions/carbons/index.ts'
import { offline } from '../../extensions/offline/index.ts'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import { giveUpAll, sendAway } from './drain.ts'
import { online, subscribes } from '../../test/support/world/online.ts'
import { redisNodes } from '../../test/support/cluster/redis-cluster.ts'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import { hasRedis } from '../../test/support/redis/redis.ts'
import { eventually } from '../../test/support/cluster/redis-bus-node.ts'
import type { Client } from '../../test/support/world/world.ts'
import { Jid } from '../xmpp/jid.ts'

const SM = 'urn:xmpp:sm:3'
const EXTENSIONS = [archive, offline, carbons, [streamManagement, { 'resume-seconds': 4, 'queue': 100 }]] as const
const ROMEO = Jid.parse('romeo@localhost')
const JULIET = Jid.parse('juliet@localhost')

async function pair (): Promise<readonly [Node, Node]> {
  const { nodes: [a, b] } = await redisNodes(2, ...EXTENSIONS)
  if (!a || !b) throw new Error('there are two')
  await a.db.query('delete from account')
  await a.db.query('delete from former_account')
  await eventually(() => { expect(a.cluster.membership.isAlive(b.cluster.homes.incarnation)).toBe(true) })
  return [a, b]
}

/** A client that is online and may come back, and under which id. */
async function resumable (node: Node, jid: string): Promise<readonly [Client, string]> {
  const client = await online(node, jid)
  await client.sendsNonza(`<enable xmlns='${SM}' resume='true'/>`)
  const id = /id='([^']*)'/.exec((await client.received()).join(''))?.[1] ?? ''
  await recorded(node, client)
  return [client, id]
}

/** Waits until what others need to go on with the session is written. */
async function recorded ({ cluster: { records, homes } }: Node, { session }: Client): Promise<void> {
  await eventually(async () => {
    expect(await records.accountsOf(homes.incarnation)).toContain(session.account.jid.toString())
  })
}

/** It is killed, and the others have noticed. */
async function dies (node: Node, others: Node): Promise<void> {
  await eventually(() => { expect(others.cluster.membership.isAlive(node.cluster.homes.incarnation)).toBe(true) })
  node.dies()
  await eventually(() => { expect(others.cluster.membership.isAlive(node.cluster.homes.incarnation)).toBe(false) })
}

/** Until Redis has heard that nobody owns the account, the client is told to try again. */
async function returnsWhenFree (node: Node, id: string): Promise<Client> {
  const back: Client[] = []
  await eventually(async () => { back.push(await node.returns('romeo@localhost/orchard', resume(id, 0))) })
  const [client] = back
  if (!client) throw new Error('nobody came back')
  return client
}

function resume (id: string, h: number): string { return `<resume xmlns='${SM}' previd='${id}' h='${h}'/>` }

/** What it hears until the text is among it. */
async function expectHeard (client: Client, text: string): Promise<readonly string[]> {
  const heard: string[] = []
  await expect.poll(async () => {
    heard.push(...await client.receivedInBrief())
    return heard.join('\n')
  }, { timeout: 10_000 }).toContain(text)
  return heard
}

describe.skipIf(!hasRedis())('an account that its home gives up', () => {
  test('goes on at another with its sessions as they were: presence, flags, those they told directly, what is unread', async () => {
    const [a, b] = await pair()
    const [romeo, id] = await resumable(a, 'romeo@localhost/orchard')
    await romeo.asks('get', "<query xmlns='jabber:iq:roster'/>")
    await romeo.asks('set', "<enable xmlns='urn:xmpp:carbons:2'/>")
    await romeo.sends('<presence><priority>7</priority><show>away</show></presence>')
    await romeo.sends("<presence to='nurse@localhost/room'/>")
    const nurse = await online(b, 'nurse@localhost/room')
    await nurse.says('romeo@localhost', 'unread')
    romeo.leaves()

    await a.core.accounts.giveUp(romeo.session.account)
    const again = await returnsWhenFree(b, id)

    expect(a.core.accounts.peek(ROMEO)).toBeUndefined()
    const { session } = again
    const { available, priority, isInterested, directed, flags } = session
    expect([available, priority, isInterested, [...directed?.keys() ?? []], [...flags]])
      .toEqual([true, 7, true, ['nurse@localhost/room'], expect.arrayContaining(['urn:xmpp:carbons:2', SM])])
    expect(session.presence?.toXml()).toContain('away')
    expect((await again.received()).filter(xml => xml.includes('unread'))).toHaveLength(1)
    expect(await nurse.receivedInBrief()).not.toContain('unavailable from romeo@localhost/orchard')
  })

  test('stays where a session of it has a stream', async () => {
    const [a, b] = await pair()
    const romeo = await online(a, 'romeo@localhost/orchard')

    await a.core.accounts.giveUp(romeo.session.account)

    expect(a.core.accounts.peek(ROMEO)).toBe(romeo.session.account)
    expect(await b.core.accounts.locate(ROMEO)).toEqual({ node: a.cluster.homes.incarnation })
  })

  test('comes back to the same node when that needs it first, and goes on', async () => {
    const [a, b] = await pair()
    const [romeo, id] = await resumable(a, 'romeo@localhost/orchard')
    romeo.leaves()
    await a.core.accounts.giveUp(romeo.session.account)

    const again = await a.returns('romeo@localhost/orchard', resume(id, 0))
    again.leaves()
    await dies(a, b)

    const elsewhere = await b.returns('romeo@localhost/orchard', resume(id, 0))
    expect(elsewhere.session.account).toBe(b.core.accounts.peek(ROMEO))
  })

  test('loses nothing of what comes meanwhile', async () => {
    const [a, b] = await pair()
    const [romeo, id] = await resumable(a, 'romeo@localhost/orchard')
    const nurse = await online(b, 'nurse@localhost/room')
    romeo.leaves()

    const given = a.core.accounts.giveUp(romeo.session.account, b.cluster.homes.incarnation)
    const said = ['1', '2', '3'].map(one => nurse.says('romeo@localhost', one))
    await given
    await Promise.all(said)
    const again = await b.returns('romeo@localhost/orchard', resume(id, 0))

    expect((await again.receivedInBrief()).map(one => one.at(-1)).filter(one => /\d/.test(one ?? ''))).toEqual([
      '1',
      '2',
      '3',
    ])
  })
})

describe.skipIf(!hasRedis())('what a dead node has left', () => {
  test('is taken over, and contacts hear of who does not come back, not before', async () => {
    const [a, b] = await pair()
    const romeo = await online(a, 'romeo@localhost/orchard')
    const [juliet] = await resumable(b, 'juliet@localhost/balcony')
    await subscribes(romeo, juliet)
    await juliet.sends('<presence/>')
    await expectHeard(romeo, 'available from juliet@localhost/balcony')
    await b.cluster.records.save(juliet.session.account)
    await romeo.received() // an answer to his probe, perhaps

    b.dies()
    await eventually(() => { expect(a.core.accounts.peek(JULIET)?.sessions).toHaveLength(1) })
    const early = await romeo.receivedInBrief()
    const heard = await expectHeard(romeo, 'unavailable from juliet@localhost/balcony')

    expect(early).toEqual([])
    expect(heard).toHaveLength(1)
    await eventually(async () => {
      expect(await a.cluster.records.owners()).not.toContain(b.cluster.homes.incarnation)
    })
  })

  test('holds a session as soon as its client has heard of it', async () => {
    const [, b] = await pair()
    const juliet = await online(b, 'juliet@localhost/balcony')
    await juliet.sendsNonza(`<enable xmlns='${SM}' resume='true'/>`)
    const id = /id='([^']*)'/.exec((await juliet.received()).join(''))?.[1] ?? 'none'

    // Behind what was written before.
    const record = await b.cluster.redis.journal.hget(`hg:records:${b.cluster.homes.incarnation}`, JULIET.toString())

    expect(record).toContain(id)
  })

  test('of a session that could not be resumed contacts hear at once', async () => {
    const [a, b] = await pair()
    const romeo = await online(a, 'romeo@localhost/orchard')
    const juliet = await online(b, 'juliet@localhost/balcony')
    await subscribes(romeo, juliet)
    await recorded(b, juliet)

    b.dies()

    const heard = await expectHeard(romeo, 'unavailable from juliet@localhost/balcony')
    expect(heard.filter(one => one.includes('unavailable from juliet@localhost/balcony'))).toHaveLength(1)
    expect(a.core.accounts.peek(JULIET)?.sessions).toEqual([])
  })

  test('of an account that was removed since is forgotten', async () => {
    const [a, b] = await pair()
    await resumable(b, 'juliet@localhost/balcony')
    b.dies()

    await a.db.query("delete from account where jid = 'juliet@localhost'")

    await eventually(async () => {
      expect(await a.cluster.records.accountsOf(b.cluster.homes.incarnation)).toEqual([])
    })
    await eventually(async () => {
      expect(await a.cluster.records.owners()).not.toContain(b.cluster.homes.incarnation)
    })
    expect(await a.cluster.redis.commands.exists(`hg:home:${JULIET}`)).toBe(0)
  })

  test('of an account that has been at home elsewhere since is forgotten, and not taken up', async () => {
    const [a, b] = await pair()
    const juliet = await online(a, 'juliet@localhost/balcony')
    const commands = a.cluster.redis.commands
    await commands.sadd('hg:owners', 'gone')
    await commands.hset('hg:records:gone', 'juliet@localhost', '{"sessions":[],"states":{},"next":0}')

    await eventually(async () => { expect(await b.cluster.records.owners()).not.toContain('gone') })

    expect(a.core.accounts.peek(JULIET)?.sessions).toEqual([juliet.session])
    expect(juliet.ended).toBeUndefined()
  })

  test('is taken over whatever else of it can\'t be', async () => {
    const { nodes: [a] } = await redisNodes(1, ...EXTENSIONS)
    const { commands } = a?.cluster.redis ?? expect.fail()
    await commands.sadd('hg:owners', 'gone', 'gone before')
    await commands.sadd('hg:rooms:gone before', 'no address@')
    await commands.hset('hg:records:gone before', 'juliet@localhost', '{"sessions":[],"states":{},"next":0}')

    await eventually(async () => { expect(await a?.cluster.records.accountsOf('gone before')).toEqual([]) })
    await eventually(async () => { expect(await a?.cluster.records.owners()).not.toContain('gone') })
  })

  test('is there for the next attempt when the database was away at the first', async () => {
    const [a, b] = await pair()
    const [, id] = await resumable(b, 'juliet@localhost/balcony')
    await dies(b, a)
    await a.db.query('alter table archive_message rename to away')

    await expect(a.core.accounts.load(JULIET)).rejects.toThrow('archive_message')
    await a.db.query('alter table away rename to archive_message')

    await a.returns('juliet@localhost/balcony', resume(id, 0))
  })

  test('hears of presence that is sent to it before anybody has come for it', async () => {
    const [a, b] = await pair()
    const romeo = await online(a, 'romeo@localhost/orchard')
    const [juliet, id] = await resumable(b, 'juliet@localhost/balcony')
    await subscribes(juliet, romeo)
    await romeo.sends('<presence/>')
    await expectHeard(juliet, 'available from romeo@localhost/orchard')
    await b.cluster.records.save(juliet.session.account)
    await dies(b, a)

    await romeo.sends("<presence type='unavailable'/>")
    const again = await a.returns('juliet@localhost/balcony', resume(id, 0))

    expect(await again.receivedInBrief()).toContain('unavailable from romeo@localhost/orchard')
  })
})

describe.skipIf(!hasRedis())('a node that was taken for dead', () => {
  test('goes on with what nobody has taken, under another name, and leaves nothing under the old one', async () => {
    const [a, b] = await pair()
    const [romeo, id] = await resumable(a, 'romeo@localhost/orchard')
    const before = a.cluster.homes.incarnation

    await b.cluster.redis.commands.zrem('hg:nodes', before)
    await eventually(() => { expect(a.cluster.homes.incarnation).not.toBe(before) })
    await recorded(a, romeo)

    expect(await b.cluster.records.accountsOf(before)).toEqual([])
    expect(romeo.ended).toBeUndefined()
    await dies(a, b)
    await b.returns('romeo@localhost/orchard', resume(id, 0))
  })

  test('gives up at once what others have taken, with an error with which clients come back', async () => {
    const [a, b] = await pair()
    const [romeo, id] = await resumable(a, 'romeo@localhost/orchard')
    const before = a.cluster.homes.incarnation
    const { commands } = b.cluster.redis

    await commands.multi().zrem('hg:nodes', before).set(`hg:home:${ROMEO}`, `${before}\n${b.cluster.homes.incarnation}`)
      .exec()
    await eventually(() => { expect(romeo.ended?.condition).toBe('internal-server-error') })

    expect(a.core.accounts.peek(ROMEO)).toBeUndefined()
    await b.returns('romeo@localhost/orchard', resume(id, 0))
  })
})

describe.skipIf(!hasRedis())('a node that leaves', () => {
  test('hands all its accounts over, sessions and all, and becomes nobody\'s home', async () => {
    const [a, b] = await pair()
    const [romeo, id] = await resumable(a, 'romeo@localhost/orchard')
    const nurse = await online(a, 'nurse@localhost/room')

    a.cluster.homes.leave()
    romeo.leaves()
    if (nurse.session.stream) await sendAway([nurse.session.stream])
    await giveUpAll(a.core)

    expect(nurse.ended?.condition).toBe('system-shutdown')
    expect([...a.core.accounts.atHome()]).toEqual([])
    expect(await a.core.accounts.locate(ROMEO)).toEqual({ node: b.cluster.homes.incarnation })
    await b.returns('romeo@localhost/orchard', resume(id, 0))
  })
})
