/** Users on several nodes, as if there were one. */
import { expect, test } from 'vitest'
import { archive } from '../../extensions/archive/index.ts'
import { carbons } from '../../extensions/carbons/index.ts'
import { offline } from '../../extensions/offline/index.ts'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import { redisNodes } from '../../test/support/cluster/redis-cluster.ts'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import type { Client } from '../../test/support/world/world.ts'

const EXTENSIONS = [archive, offline, carbons, streamManagement] as const
const SM = 'urn:xmpp:sm:3'

async function pair (): Promise<[Node, Node]> {
  const { nodes: [a, b] } = await redisNodes(2, ...EXTENSIONS)
  if (!a || !b) throw new Error('there are two')
  return [a, b]
}

async function expectHeard (client: Client, text: string): Promise<string> {
  return expect.poll(async () => (await client.received()).join(''), { timeout: 8000 }).toContain(text).then(() => text)
}

test('a message comes to an account whose home is another node, and both archives hold it', async () => {
  const [a, b] = await pair()
  const romeo = await a.client('romeo@localhost/orchard')
  const juliet = await b.client('juliet@localhost/balcony')
  await juliet.comesOnline()

  await romeo.says('juliet@localhost', 'hello')

  await expectHeard(juliet, '<body>hello</body>')
  const rows = await a.db.query("select owner from archive_message where stanza like '%hello%' order by owner")
  expect(rows).toEqual([{ owner: 'juliet@localhost' }, { owner: 'romeo@localhost' }])
})

test('contacts on two nodes see each other come and go', async () => {
  const [a, b] = await pair()
  const romeo = await a.client('romeo@localhost/orchard')
  const juliet = await b.client('juliet@localhost/balcony')
  await romeo.comesOnline()
  await juliet.comesOnline()
  await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")
  await expectHeard(juliet, "type='subscribe'")
  await juliet.sends("<presence type='subscribed' to='romeo@localhost'/>")
  await expectHeard(romeo, "from='juliet@localhost/balcony'")

  await juliet.sends("<presence type='unavailable'/>")

  await expectHeard(romeo, "type='unavailable'")
})

test('a session goes on at another node when its own has died, with what it had not acknowledged', async () => {
  const [a, b] = await pair()
  const romeo = await a.client('romeo@localhost/orchard')
  const juliet = await b.client('juliet@localhost/balcony')
  await juliet.comesOnline()
  await juliet.sendsNonza(`<enable xmlns='${SM}' resume='true'/>`)
  const id = /id='([^']*)'/.exec((await juliet.received()).join(''))?.[1] ?? ''
  await romeo.says('juliet@localhost', 'one')
  await expectHeard(juliet, '<body>one</body>')
  await b.persists()

  b.dies()
  const said = romeo.says('juliet@localhost', 'two')
  await said
  const again = await a.returns('juliet@localhost/balcony', `<resume xmlns='${SM}' previd='${id}' h='0'/>`)

  const received = (await again.received()).join('')
  expect(received).toContain('<body>one</body>')
  expect(received).toContain('<body>two</body>')
  expect(received.indexOf('one')).toBeLessThan(received.indexOf('two'))
})
