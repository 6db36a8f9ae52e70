/** A name that was another account's before: nothing that began with that account goes on with the next. */
import { expect, test } from 'vitest'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import { redisNodes } from '../testing/redis-nodes.ts'
import type { Node } from '../testing/redis-nodes.ts'
import { PASSWORD } from '../testing/wire-client.ts'
import { Jid } from '../xmpp/jid.ts'

const JULIET = Jid.parse('juliet@localhost')
const WAIT = { timeout: 15_000 }

async function twoNodes (): Promise<readonly [Node, Node]> {
  const { nodes: [a, b] } = await redisNodes(2, streamManagement)
  if (!a || !b) throw new Error('two nodes')
  for (const { cluster } of [a, b]) await expect.poll(() => cluster.membership.nodes.length, WAIT).toBe(2)
  await a.db.query('delete from account')
  return [a, b]
}

test.each(['here', 'at another node'])('who logged in before the account was removed has no place in the next, whose home is %s', async where => {
  const [a, b] = await twoNodes()
  await a.core.commands.add(JULIET, PASSWORD)
  const former = await (await a.doors()).connectTcp()
  await former.logsIn('juliet')
  await a.core.commands.remove(JULIET)
  await a.core.commands.add(JULIET, PASSWORD)
  await b.doors()
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
  await b.core.commands.add(JULIET, PASSWORD)

  await expect.poll(() => b.core.accounts.locate(JULIET), WAIT).toMatchObject({ account: { sessions: [] } })
})
