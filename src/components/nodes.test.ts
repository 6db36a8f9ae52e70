/** Components of several nodes: a component is connected to one, or to some, and all nodes send to it. */
import { expect, test } from 'vitest'
import { RedisNodes } from '../../test/support/cluster/redis-cluster.ts'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import { serveComponents, settings } from '../../test/support/components/served.ts'
import type { ServedComponents } from '../../test/support/components/served.ts'
import type { Client } from '../../test/support/world/world.ts'

const ONE = 'gateway.localhost'
const MANY = 'shared.localhost'
const DELEGATED = 'urn:xmpp:example'
const COMPONENTS = {
  [ONE]: settings({ presence: 'managed_entity' }, { delegate: [DELEGATED] }),
  [MANY]: settings({}, { connections: 'many' }),
}

interface Served { readonly node: Node, readonly components: ServedComponents }

async function serve (): Promise<{ readonly a: Served, readonly b: Served, readonly romeo: Client }> {
  const nodes = await RedisNodes.begin([], COMPONENTS)
  const one = async (): Promise<Served> => {
    const node = await nodes.start()
    return { node, components: await serveComponents(node, COMPONENTS, node.cluster) }
  }
  const [a, b] = [await one(), await one()]
  for (const { node } of [a, b]) await expect.poll(() => node.cluster.membership.nodes.length).toBe(2)
  const romeo = await a.node.client('romeo@localhost/orchard')
  await romeo.comesOnline()
  return { a, b, romeo }
}

test('what one node has for a component that is connected to another is sent there', async () => {
  const { b, romeo } = await serve()
  await romeo.says(`nurse@${ONE}`, 'early')

  const component = await b.components.connects(ONE)
  await component.expectHeard('<body>early</body>')
  await romeo.says(`nurse@${ONE}`, 'late')
  await component.expectHeard('<body>late</body>')
  component.says(`<message from='nurse@${ONE}' to='romeo@localhost' type='chat' id='1'><body>Sir</body></message>`)

  let heard = ''
  await expect.poll(async () => heard += (await romeo.received()).join(''), { timeout: 10_000 }).toContain('<body>Sir</body>')
  await component.expectHeard(`<presence from='romeo@localhost/orchard' to='${ONE}'/>`)
})

test('a component that connects to another node leaves the first', async () => {
  const { a, b, romeo } = await serve()
  const first = await b.components.connects(ONE)
  await romeo.says(`nurse@${ONE}`, 'one')
  await first.expectHeard('<body>one</body>')

  const second = await a.components.connects(ONE)

  await first.expectHeard('<conflict ')
  await romeo.says(`nurse@${ONE}`, 'two')
  await second.expectHeard('<body>two</body>')
})

test('when the node that sends has no connection any more, another goes on', async () => {
  const { a, b, romeo } = await serve()
  const first = await b.components.connects(MANY)
  const second = await a.components.connects(MANY)
  await romeo.says(`nurse@${MANY}`, 'one')
  await expect.poll(() => first.heard + second.heard, { timeout: 10_000 }).toContain('<body>one</body>')
  const [sending, other] = first.heard.includes('<body>one</body>') ? [first, second] : [second, first]

  sending.cuts()
  await romeo.says(`nurse@${MANY}`, 'two')

  await other.expectHeard('<body>two</body>')
})

test('a request is delegated to a component at another node, and its answer comes back', async () => {
  const { b, romeo } = await serve()
  const component = await b.components.connects(ONE)
  await component.expectHeard('<presence from=') // the other node knows of it
  const asked = romeo.asks('get', `<act xmlns='${DELEGATED}'/>`, 'localhost').catch((error: Error) => error.message)

  const pattern = /<iq from='localhost' to='gateway.localhost' id='([^']+)' type='set'><delegation .*<iq [^>]*id='([^']+)'/
  await component.expectHeard(pattern)
  const [, id, inner] = pattern.exec(component.heard) ?? []
  component.says(`<iq from='${ONE}' to='localhost' id='${id}' type='result'><delegation xmlns='urn:xmpp:delegation:2'>` +
    `<forwarded xmlns='urn:xmpp:forward:0'><iq xmlns='jabber:client' to='romeo@localhost/orchard' id='${inner}' type='result'>` +
    `<done xmlns='${DELEGATED}'/></iq></forwarded></delegation></iq>`)

  expect(String(await asked)).toBe(`<done xmlns='${DELEGATED}'/>`)
})
