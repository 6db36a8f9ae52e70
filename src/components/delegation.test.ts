/** Requests that a component answers for the server and its accounts (XEP-0355). */
import { expect, test } from 'vitest'
import type { ScriptedComponent } from '../../test/support/components/scripted-component.ts'
import { serveComponents, settings } from '../../test/support/components/served.ts'
import type { ServedComponents } from '../../test/support/components/served.ts'
import { worldOf } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'

const NAME = 'pubsub.localhost'
const NS = 'urn:xmpp:delegation:2'
const DELEGATED = 'urn:xmpp:example'
const PAYLOAD = `<act xmlns='${DELEGATED}'/>`

interface Scene { readonly world: World, readonly served: ServedComponents, readonly romeo: Client }

async function scene (privileged = false): Promise<Scene> {
  const components = { [NAME]: settings(privileged ? { roster: 'both' } : {}, { delegate: [DELEGATED] }) }
  const world = await worldOf(components)
  return { world, served: await serveComponents(world, components), romeo: await world.client('romeo@localhost/orchard') }
}

/** Answers the delegated request that it was sent last. */
async function answers (
  component: ScriptedComponent, inner: (id: string) => string, from: RegExp = /romeo@localhost\/orchard/,
): Promise<void> {
  const asked = new RegExp(`<iq from='localhost' to='${NAME}' id='([^']+)' type='set'><delegation xmlns='${NS}'>` +
    `<forwarded xmlns='urn:xmpp:forward:0'><iq xmlns='jabber:client' from='${from.source}'[^>]* id='([^']+)'`)
  await component.expectHeard(asked)
  const [, id = '', innerId = ''] = asked.exec(component.heard) ?? []
  component.says(`<iq from='${NAME}' to='localhost' id='${id}' type='result'><delegation xmlns='${NS}'>` +
    `<forwarded xmlns='urn:xmpp:forward:0'>${inner(innerId)}</forwarded></delegation></iq>`)
}

test('a component is told what is delegated to it', async () => {
  const { served } = await scene()

  const component = await served.connects(NAME)

  await component.expectHeard(new RegExp(`<message from='localhost' to='${NAME}' id='[^']+'><delegation xmlns='${NS}'>` +
    `<delegated namespace='${DELEGATED}'/></delegation></message>`))
})

test.each(['localhost', 'romeo@localhost', undefined])('a request to %s goes to the component, and its answer back', async to => {
  const { served, romeo } = await scene()
  const component = await served.connects(NAME)

  const asked = romeo.asks('set', PAYLOAD, to)
  await answers(component, id => `<iq xmlns='jabber:client' to='romeo@localhost/orchard' id='${id}' type='result'>` +
    `<done xmlns='${DELEGATED}'/></iq>`)

  expect((await asked)?.toString()).toBe(`<done xmlns='${DELEGATED}'/>`)
})

test('a request to another account goes to the component, one to nobody does not', async () => {
  const { world, served, romeo } = await scene()
  await world.client('juliet@localhost/balcony')
  const component = await served.connects(NAME)

  await expect(romeo.asks('get', PAYLOAD, 'nobody@localhost')).rejects.toThrow('service-unavailable')
  const asked = romeo.asks('get', PAYLOAD, 'juliet@localhost')
  await answers(component, id =>
    `<iq xmlns='jabber:client' from='juliet@localhost' to='romeo@localhost/orchard' id='${id}' type='result'/>`)

  expect(await asked).toBeUndefined()
  expect(component.heard).not.toContain('nobody')
})

test.each([
  ['with another id', () => "<iq xmlns='jabber:client' to='romeo@localhost/orchard' id='other' type='result'/>"],
  ['to another', (id: string) => `<iq xmlns='jabber:client' to='juliet@localhost' id='${id}' type='result'/>`],
  ['from another', (id: string) =>
    `<iq xmlns='jabber:client' from='x.localhost' to='romeo@localhost/orchard' id='${id}' type='result'/>`],
  ['that is an error', (id: string) => `<iq xmlns='jabber:client' to='romeo@localhost/orchard' id='${id}' type='error'/>`],
  ['that is none', () => '<x/>'],
])('an answer %s is none', async (_, inner) => {
  const { served, romeo } = await scene()
  const component = await served.connects(NAME)

  const asked = romeo.asks('get', PAYLOAD, 'localhost')
  const failed = expect(asked).rejects.toThrow('service-unavailable')
  await answers(component, inner)

  await failed
})

test('while the component is away its requests are refused at once', async () => {
  const { romeo } = await scene()

  await expect(romeo.asks('get', PAYLOAD, 'localhost')).rejects.toThrow('service-unavailable')
})

test('what the component itself asks is answered by the server', async () => {
  const { served } = await scene()
  const component = await served.connects(NAME)

  component.says(`<iq from='${NAME}' to='localhost' type='get' id='a'>${PAYLOAD}</iq>`)

  await component.expectHeard(/id='a' type='error'>.*<service-unavailable /)
})

test('the server and its accounts tell what the component can do', async () => {
  const { served, romeo } = await scene()
  const component = await served.connects(NAME)
  for (const [separator, features] of [['::', `<feature var='${DELEGATED}#server'/>`],
    [':bare:', `<identity category='pubsub' type='pep'/><feature var='${DELEGATED}#account'/>`]] as const) {
    const asked = new RegExp(`<iq from='localhost' to='${NAME}' id='([^']+)' type='get'><query xmlns='http://jabber.org/protocol/disco#info' ` +
      `node='${NS}${separator}${DELEGATED}'/>`)
    await component.expectHeard(asked)
    component.says(`<iq from='${NAME}' to='localhost' id='${asked.exec(component.heard)?.[1]}' type='result'>` +
      `<query xmlns='http://jabber.org/protocol/disco#info'>${features}</query></iq>`)
  }
  const info = async (to: string): Promise<string> =>
    String(await romeo.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", to))

  await expect.poll(() => info('localhost')).toContain(`${DELEGATED}#server`)
  expect(await info('localhost')).toContain(NS)
  expect(await info('localhost')).not.toContain(`${DELEGATED}#account`)
  expect(await info('romeo@localhost')).toMatch(new RegExp(`category='pubsub'.*${DELEGATED}#account`))
})

test('components are among the services of the host that they belong to', async () => {
  const { romeo } = await scene()

  const items = await romeo.asks('get', "<query xmlns='http://jabber.org/protocol/disco#items'/>", 'localhost')

  expect(String(items)).toContain(`<item jid='${NAME}'/>`)
})
