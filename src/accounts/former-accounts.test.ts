/** A name that was another account's before: nothing that began with that account goes on with the next. */
import { expect, test } from 'vitest'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import { online, rosterOf, subscribes } from '../../test/support/world/online.ts'
import { redisNodes } from '../../test/support/cluster/redis-cluster.ts'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import { PASSWORD } from '../../test/support/wire/wire-client.ts'
import { Jid } from '../xmpp/jid.ts'

const JULIET = Jid.parse('juliet@localhost')
const ROMEO = Jid.parse('romeo@localhost')
const WAIT = { timeout: 15_000 }
/** For what is tried again only later. */
const LATER = { timeout: 25_000 }

async function twoNodes (): Promise<readonly [Node, Node]> {
  const { nodes: [a, b] } = await redisNodes(2, streamManagement)
  if (!a || !b) throw new Error('two nodes')
  for (const { cluster } of [a, b]) await expect.poll(() => cluster.membership.nodes.length, WAIT).toBe(2)
  await a.db.query('delete from account')
  await a.db.query('delete from former_account')
  return [a, b]
}

test.each(['here', 'at another node'])(
  'who logged in before the account was removed has no place in the next, whose home is %s',
  async where => {
    const [a, b] = await twoNodes()
    await a.core.commands.add(JULIET, PASSWORD)
    const former = await (await a.listeners()).connectTcp()
    await former.logsIn('juliet')
    await a.core.commands.remove(JULIET)
    await a.core.commands.add(JULIET, PASSWORD)
    await b.listeners()
    const next = await (where === 'here' ? a : b).client('juliet@localhost/balcony')

    expect(await former.binds('orchard')).toContain('<item-not-found ')

    expect(next.session.account.sessions).toEqual([next.session])
  })

test('the sessions of an account whose node died before it was removed are not those of the next', async () => {
  const [a, b] = await twoNodes()
  await a.core.commands.add(JULIET, PASSWORD)
  const former = await a.client('juliet@localhost/balcony')
  await former.sendsNonza("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
  await former.comesOnline()
  await a.cluster.records.save(former.session.account)

  a.dies()
  await b.db.query('delete from account')
  await b.db.query('delete from former_account')
  await b.core.commands.add(JULIET, PASSWORD)

  await expect.poll(() => b.core.accounts.locate(JULIET), WAIT).toMatchObject({ account: { sessions: [] } })
})

test.each(['in memory at another node', 'saved in between'])(
  'who was sent presence directly by a session that is %s is not the next of that name',
  async where => {
    const [a, b] = await twoNodes()
    const romeo = await online(a, 'romeo@localhost/orchard')
    const juliet = await online(b, 'juliet@localhost/balcony')
    await juliet.sendsNonza("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    await juliet.sends("<presence to='romeo@localhost'/>")
    const isAtHome = where !== 'saved in between'
    if (!isAtHome) {
      juliet.leaves()
      await b.core.accounts.giveUp(juliet.session.account)
    }

    await a.core.commands.remove(ROMEO)
    await romeo.received()
    const next = await online(a, 'romeo@localhost/street')
    await next.sends("<presence type='probe' to='juliet@localhost'/>")

    await expect(next.asks('get', "<query xmlns='urn:nothing'/>", 'juliet@localhost')).rejects.toThrow() // behind the probe
    expect(await next.receivedInBrief()).toEqual([])
    expect((isAtHome ? b : a).core.accounts.peek(JULIET)?.sessions).toHaveLength(1)
  })

test(
  'nobody has a name before every node has forgotten who had it, also where the removing node ends first',
  async () => {
    const [a, b] = await twoNodes()
    const romeo = await online(a, 'romeo@localhost/orchard')
    const juliet = await online(b, 'juliet@localhost/balcony')
    await subscribes(romeo, juliet)
    await subscribes(juliet, romeo)
    const nurse = await online(b, 'nurse@localhost/house')
    await nurse.sends("<presence type='subscribed' to='romeo@localhost'/>")

    await a.core.store.remove(ROMEO)
    a.dies()
    await expect(b.core.commands.add(ROMEO, PASSWORD)).rejects.toMatchObject({ condition: 'resource-constraint' })
    for (const client of [juliet, nurse]) await client.asks(
      'set',
      "<query xmlns='jabber:iq:roster'><item jid='romeo@localhost' name='R.'/></query>",
    )
    await expect.poll(() => b.core.commands.add(ROMEO, PASSWORD).then(() => 'added', String), LATER).toBe('added')

    for (const client of [juliet, nurse]) expect(await rosterOf(client)).toEqual(['romeo@localhost none'])
    expect(
      await b.db.query("select from roster_item where contact = $1 and (subscription <> 'none' or approved)", [
        ROMEO.toString(),
      ]),
    ).toEqual([])
    const next = await online(b, 'romeo@localhost/street')
    await next.sends("<presence type='subscribe' to='nurse@localhost'/>")
    expect(await next.receivedInBrief()).not.toContain('subscribed from nurse@localhost')
  }, 40_000)
