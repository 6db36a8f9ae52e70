/** What components may do in the name of accounts (XEP-0356), and what nobody may who was not given it. */
import { expect, test } from 'vitest'
import type { ScriptedComponent } from '../../test/support/components/scripted-component.ts'
import { serveComponents, settings } from '../../test/support/components/served.ts'
import { worldOf } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { Jid } from '../xmpp/jid.ts'
import { iq, presence } from '../xmpp/stanza.ts'
import type { Privileges } from './settings.ts'

const NAME = 'gateway.localhost'
const NS = 'urn:xmpp:privilege:2'
const ROSTER = "<query xmlns='jabber:iq:roster'/>"

interface Scene { readonly world: World, readonly component: ScriptedComponent, readonly romeo: Client }

async function scene (privileges: Partial<Privileges>): Promise<Scene> {
  const components = { [NAME]: settings(privileges) }
  const world = await worldOf(components)
  const served = await serveComponents(world, components)
  const romeo = await world.client('romeo@localhost/orchard')
  return { world, romeo, component: await served.connects(NAME) }
}

function asks (component: ScriptedComponent, type: 'get' | 'set', payload: string, to = 'romeo@localhost', id = 'a'): void {
  component.says(`<iq from='${NAME}' to='${to}' type='${type}' id='${id}'>${payload}</iq>`)
}

function sendsFor (component: ScriptedComponent, message: string): void {
  component.says(`<message from='${NAME}' to='localhost' id='m'><privilege xmlns='${NS}'>` +
    `<forwarded xmlns='urn:xmpp:forward:0'>${message}</forwarded></privilege></message>`)
}

test('a component is told what it may do', async () => {
  const { component } = await scene({ roster: 'both', message: 'outgoing', presence: 'roster', iq: { 'urn:x': 'set' } })

  await component.expectHeard(new RegExp(`<message from='localhost' to='${NAME}' id='[^']+'><privilege xmlns='${NS}'>` +
    "<perm access='roster' type='both' push='true'/><perm access='message' type='outgoing'/>" +
    "<perm access='iq'><namespace ns='urn:x' type='set'/></perm><perm access='presence' type='roster'/></privilege>"))
})

test('a component that may nothing is told nothing', async () => {
  const { component } = await scene({})

  asks(component, 'get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", 'localhost')

  await component.expectHeard("id='a' type='result'")
  expect(component.heard).not.toContain('<message')
})

test('who may get rosters gets them, and hears of changes', async () => {
  const { component, romeo } = await scene({ roster: 'get' })
  await romeo.asks('set', "<query xmlns='jabber:iq:roster'><item jid='juliet@localhost' name='Juliet'/></query>")

  asks(component, 'get', ROSTER)

  await component.expectHeard(/<iq from='romeo@localhost' to='gateway.localhost' id='[^']+' type='set'><query xmlns='jabber:iq:roster' ver='1'><item jid='juliet@localhost'/)
  await component.expectHeard(/id='a' type='result'><query xmlns='jabber:iq:roster'><item jid='juliet@localhost' name='Juliet' subscription='none'\/>/)
  asks(component, 'set', "<query xmlns='jabber:iq:roster'><item jid='nurse@localhost'/></query>", undefined, 'b')
  await component.expectHeard(/id='b' type='error'><error type='auth'><forbidden /)
})

test('who may set rosters sets them, and the owner\'s clients hear of it', async () => {
  const { component, romeo } = await scene({ roster: 'set' })
  await romeo.comesOnline()
  await romeo.received()

  asks(component, 'set', `<query xmlns='jabber:iq:roster'><item jid='nurse@${NAME}' name='Nurse'/></query>`)
  await component.expectHeard(/id='a' type='result'/)
  expect((await romeo.received()).join('')).toContain(`<item jid='nurse@${NAME}' name='Nurse' subscription='none'/>`)
  asks(component, 'set', `<query xmlns='jabber:iq:roster'><item jid='nurse@${NAME}' subscription='remove'/></query>`, undefined, 'b')
  await component.expectHeard(/id='b' type='result'/)

  expect((await romeo.received()).join('')).toContain(`<item jid='nurse@${NAME}' subscription='remove'/>`)
  asks(component, 'get', ROSTER, undefined, 'c')
  await component.expectHeard(/id='c' type='error'><error type='auth'><forbidden /)
  expect(component.heard).not.toContain("type='set'><query")
})

test('who may not get rosters gets none, nor does another account', async () => {
  const { world, component } = await scene({ roster: 'none' })
  const juliet = await world.client('juliet@localhost/balcony')

  asks(component, 'get', ROSTER)

  await component.expectHeard(/id='a' type='error'><error type='auth'><forbidden /)
  await expect(juliet.asks('get', ROSTER, 'romeo@localhost')).rejects.toThrow('service-unavailable')
})

test('who may send messages of accounts does so, and they are as if the account had sent them', async () => {
  const { component, romeo } = await scene({ message: 'outgoing' })
  await romeo.comesOnline()
  await romeo.received()

  sendsFor(component, "<message xmlns='jabber:client' from='romeo@localhost' to='romeo@localhost/orchard' id='n'><body>note</body></message>")
  sendsFor(component, "<message xmlns='jabber:client' from='localhost' to='romeo@localhost' id='o'><body>notice</body></message>")

  let heard = ''
  await expect.poll(async () => heard += (await romeo.received()).join('')).toMatch(
    /<message from='romeo@localhost' to='romeo@localhost\/orchard' id='n'><body>note<\/body>.*<message from='localhost' to='romeo@localhost' id='o'>/)
})

test('what only the server may say is taken off a message of an account', async () => {
  const { component, romeo } = await scene({ message: 'outgoing' })
  await romeo.comesOnline()
  await romeo.received()

  sendsFor(component, "<message xmlns='jabber:client' from='romeo@localhost' to='romeo@localhost/orchard' id='n'>"
    + "<body>note</body><received xmlns='urn:xmpp:carbons:2'/></message>")

  let heard = ''
  await expect.poll(async () => heard += (await romeo.received()).join('')).toContain('<body>note</body></message>')
})

test.each([
  ['of an account with a resource', "<message xmlns='jabber:client' from='romeo@localhost/orchard' to='juliet@localhost'/>"],
  ['of an account that is not there', "<message xmlns='jabber:client' from='nobody@localhost' to='juliet@localhost'/>"],
  ['of somebody elsewhere', "<message xmlns='jabber:client' from='romeo@example.org' to='juliet@localhost'/>"],
  ['of nobody', "<message xmlns='jabber:client' to='juliet@localhost'/>"],
  ['that is none of jabber:client', "<message from='romeo@localhost' to='juliet@localhost'/>"],
  ['to an address that is none', "<message xmlns='jabber:client' from='romeo@localhost' to='a b@localhost'/>"],
])('a message %s is not sent', async (_, message) => {
  const { component } = await scene({ message: 'outgoing' })

  sendsFor(component, message)

  await component.expectHeard(/id='m' type='error'><error type='auth'><forbidden /)
})

test('without the privilege no message of an account is sent', async () => {
  const { component, romeo } = await scene({ roster: 'both' })
  await romeo.comesOnline()
  await romeo.received()

  sendsFor(component, "<message xmlns='jabber:client' from='romeo@localhost' to='romeo@localhost'><body>x</body></message>")

  await component.expectHeard(/id='m' type='error'><error type='auth'><forbidden /)
  expect(await romeo.received()).toEqual([])
})

test('an account that says it is privileged is not', async () => {
  const { romeo } = await scene({ message: 'outgoing' })

  await romeo.sends(`<message to='localhost' id='m'><privilege xmlns='${NS}'><forwarded xmlns='urn:xmpp:forward:0'>` +
    "<message xmlns='jabber:client' from='juliet@localhost' to='romeo@localhost'/></forwarded></privilege></message>")

  expect((await romeo.received()).join('')).toContain('<service-unavailable ')
})

function privileged (inner: string): string {
  return `<privileged_iq xmlns='${NS}'>${inner}</privileged_iq>`
}

const PING = "<ping xmlns='urn:xmpp:ping'/>"

test('a request of an account is sent, and its answer comes back', async () => {
  const { component } = await scene({ iq: { 'http://jabber.org/protocol/disco#info': 'get', 'urn:xmpp:ping': 'get' } })

  asks(component, 'get', privileged("<iq xmlns='jabber:client' type='get' to='localhost' id='i'>" +
    "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>"))
  await component.expectHeard(new RegExp(`<iq from='romeo@localhost' to='${NAME}' id='a' type='result'><privilege xmlns='${NS}'>` +
    "<forwarded xmlns='urn:xmpp:forward:0'><iq xmlns='jabber:client' from='localhost' to='romeo@localhost' id='i' type='result'>" +
    "<query xmlns='http://jabber.org/protocol/disco#info'>"))
  asks(component, 'get', privileged(`<iq xmlns='jabber:client' type='get' to='x.localhost' id='j'>${PING}</iq>`), undefined, 'b')

  await component.expectHeard(/id='b' type='result'>.*id='j' type='error'>.*<remote-server-not-found /)
})

test.each([
  ['in a namespace that it was not given', 'set', `<iq xmlns='jabber:client' type='set' id='i'><x xmlns='urn:y'/></iq>`, 'romeo@localhost'],
  ['of a type that it was not given', 'set', `<iq xmlns='jabber:client' type='set' id='i'>${PING}</iq>`, 'romeo@localhost'],
  ['of another type than the one around it', 'set', `<iq xmlns='jabber:client' type='get' id='i'>${PING}</iq>`, 'romeo@localhost'],
  ['of another account', 'get', `<iq xmlns='jabber:client' from='juliet@localhost' type='get' id='i'>${PING}</iq>`, 'romeo@localhost'],
  ['that is none of jabber:client', 'get', `<iq type='get' id='i'>${PING}</iq>`, 'romeo@localhost'],
  ['of an account that is not there', 'get', `<iq xmlns='jabber:client' type='get' id='i'>${PING}</iq>`, 'nobody@localhost'],
  ['that is an answer', 'get', "<iq xmlns='jabber:client' type='result' id='i'/>", 'romeo@localhost'],
] as const)('a request %s is not sent', async (_, type, inner, to) => {
  const { component } = await scene({ iq: { 'urn:xmpp:ping': 'get' } })

  asks(component, type, privileged(inner), to)

  await component.expectHeard(/id='a' type='error'><error type='auth'><forbidden /)
})

test('who may know when accounts are there hears of their coming and going, and of who is there already', async () => {
  const components = { [NAME]: settings({ presence: 'managed_entity' }) }
  const world = await worldOf(components)
  const served = await serveComponents(world, components)
  const romeo = await world.client('romeo@localhost/orchard')
  await romeo.comesOnline()

  const component = await served.connects(NAME)
  await component.expectHeard(`<presence from='romeo@localhost/orchard' to='${NAME}'/>`)
  const juliet = await world.client('juliet@localhost/balcony')
  await juliet.sends('<presence><show>chat</show></presence>')
  await component.expectHeard(`<presence from='juliet@localhost/balcony' to='${NAME}'><show>chat</show></presence>`)
  await juliet.sends('<presence><show>dnd</show></presence>')
  juliet.closes()

  await component.expectHeard(`<presence from='juliet@localhost/balcony' to='${NAME}' type='unavailable'/>`)
  expect(component.heard).not.toContain('dnd')
})

test('who may know of contacts hears of each change once, also of contacts elsewhere', async () => {
  const { world, component, romeo } = await scene({ presence: 'roster', roster: 'get' })
  const juliet = await world.client('juliet@localhost/balcony')
  for (const client of [romeo, juliet]) {
    await client.comesOnline()
    await client.asks('set', "<query xmlns='jabber:iq:roster'><item jid='nurse@example.org'/></query>")
  }

  await juliet.sends('<presence><show>dnd</show></presence>')
  for (const to of ['romeo@localhost', 'juliet@localhost']) {
    await world.core.router.route(presence('available', { from: Jid.parse('nurse@example.org/phone'), to: Jid.parse(to) }))
    await world.core.router.route(presence('available', { from: Jid.parse('tybalt@example.org/phone'), to: Jid.parse(to) }))
  }
  await world.core.router.route(iq('get', { from: Jid.parse('localhost'), to: Jid.parse(NAME), id: 'last' }))

  await component.expectHeard("id='last'")
  expect(component.heard).toContain(`<presence from='juliet@localhost/balcony' to='${NAME}'><show>dnd</show></presence>`)
  expect(component.heard.split(`<presence from='nurse@example.org/phone' to='${NAME}'/>`)).toHaveLength(2)
  expect(component.heard).not.toContain('tybalt')
})
