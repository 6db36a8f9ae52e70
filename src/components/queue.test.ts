/** What is for a component that is away waits for it, also while the server restarts. */
import { expect, test } from 'vitest'
import { serveComponents, settings } from '../../test/support/components/served.ts'
import { federated } from '../../test/support/world/federated.ts'
import { worldOf } from '../../test/support/world/world.ts'

const NAME = 'gateway.localhost'
const SHARED = 'shared.localhost'
const COMPONENTS = { [NAME]: settings(), [SHARED]: settings({}, { connections: 'many' }) }

test('messages wait for a component, in order, and through a restart', async () => {
  const world = await worldOf(COMPONENTS)
  const served = await serveComponents(world, COMPONENTS)
  const romeo = await world.client('romeo@localhost/orchard')
  await romeo.comesOnline()

  for (const n of [1, 2, 3]) await romeo.says(`nurse@${NAME}`, `n${n}`)
  await served.stop()
  const after = await serveComponents(await world.restarts(), COMPONENTS)
  const component = await after.connects(NAME)

  await component.expectHeard(/<body>n1<.*<body>n2<.*<body>n3</)
  await expect.poll(() => after.federation.status().remotes.find(({ remote }) => remote === NAME)?.waiting).toBe(0)
})

test('what a component was sent and has not confirmed is sent again when it comes back', async () => {
  const world = await worldOf(COMPONENTS)
  const served = await serveComponents(world, COMPONENTS)
  const romeo = await world.client('romeo@localhost/orchard')
  const first = await served.connects(NAME)
  first.pings = 'none'
  await romeo.says(`nurse@${NAME}`, 'unread')
  await first.expectHeard('<body>unread</body>')
  first.cuts()
  await romeo.says(`nurse@${NAME}`, 'next')

  const second = await served.connects(NAME)

  await second.expectHeard(/<body>unread<.*<body>next</)
})

test('the administrator sees what waits for a component, and its connections', async () => {
  const world = await worldOf(COMPONENTS)
  const served = await serveComponents(world, COMPONENTS)
  const romeo = await world.client('romeo@localhost/orchard')

  await romeo.says(`nurse@${NAME}`, 'hi')
  await expect.poll(() => served.federation.status().remotes).toMatchObject([
    { local: 'localhost', remote: NAME, direction: undefined, waiting: 1, lastError: 'the component is not connected' },
  ])
  await served.connects(NAME)

  await expect.poll(() => served.federation.status().remotes).toMatchObject([
    { local: 'localhost', remote: NAME, direction: 'both', provenBy: ['secret'], waiting: 0 },
  ])
})

test('components talk with each other', async () => {
  const world = await worldOf(COMPONENTS)
  const served = await serveComponents(world, COMPONENTS)
  const one = await served.connects(NAME)

  one.says(`<message from='a@${NAME}' to='b@${SHARED}' id='x'><body>hello</body></message>`)
  const other = await served.connects(SHARED)

  await other.expectHeard(`<message from='a@${NAME}' to='b@${SHARED}' id='x'><body>hello</body></message>`)
})

test('rooms are there for a component\'s users', async () => {
  const world = await worldOf(COMPONENTS)
  const served = await serveComponents(world, COMPONENTS)
  const romeo = await world.client('romeo@localhost/orchard')
  const join = "<x xmlns='http://jabber.org/protocol/muc'/>"
  await romeo.sends(`<presence to='verona@conference.localhost/romeo'>${join}</presence>`)
  await romeo.asks('set', "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>",
    'verona@conference.localhost')
  const component = await served.connects(NAME)

  component.says(`<presence from='nurse@${NAME}/phone' to='verona@conference.localhost/nurse'>${join}</presence>`)
  await component.expectHeard(/<presence [^>]*from='verona@conference.localhost\/nurse'.*<status code='110'/)
  await romeo.sends("<message to='verona@conference.localhost' type='groupchat' id='g'><body>hark</body></message>")

  await component.expectHeard(/<message [^>]*type='groupchat'[^>]*><body>hark</)
})

test('a component is reached from other servers, and reaches them', async () => {
  const world = await worldOf(COMPONENTS)
  const served = await serveComponents(world, COMPONENTS)
  const sent: string[] = []
  world.core.router.serveOthers({ receive: stanza => { sent.push(stanza.toXml()) }, receiveHere: () => true })
  const others = await federated(world)
  const component = await served.connects(NAME)

  const remote = await others.connects('a.example', NAME)
  await remote.proves(others.authority.issue({ hosts: ['a.example'] }))
  remote.send(`<message from='tybalt@a.example' to='nurse@${NAME}' id='1'><body>from afar</body></message>`)
  await component.expectHeard('<body>from afar</body>')
  component.says(`<message from='nurse@${NAME}' to='tybalt@a.example' id='2'><body>answer</body></message>`)

  await expect.poll(() => sent.join(), { timeout: 10_000 }).toContain('<body>answer</body>')
})

test('what waits too long goes back to who sent it', async () => {
  const world = await worldOf(COMPONENTS)
  const served = await serveComponents(world, COMPONENTS)
  const romeo = await world.client('romeo@localhost/orchard')
  await romeo.comesOnline()
  await romeo.says(`nurse@${NAME}`, 'hi')
  await romeo.received()

  await expect.poll(() => served.federation.status().remotes).toMatchObject([{ waiting: 1 }])
  await served.federation.drop(NAME)

  let heard = ''
  await expect.poll(async () => heard += (await romeo.received()).join(''), { timeout: 10_000 })
    .toMatch(/<message [^>]*type='error'.*<remote-server-timeout /)
})
