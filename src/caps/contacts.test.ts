/** XEP-0163 §4.2: of which nodes contacts on other servers want notifications. */
import { describe, expect, test } from 'vitest'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import { redisNodes } from '../../test/support/cluster/redis-cluster.ts'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import { online } from '../../test/support/world/online.ts'
import { RemoteServer } from '../../test/support/world/remote.ts'
import { answer, answersInfo, attribute, infoRequests, software } from '../../test/support/world/software.ts'
import { database, world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'

const MOOD = 'http://jabber.org/protocol/mood'
const TUNE = 'http://jabber.org/protocol/tune'
const SM = 'urn:xmpp:sm:3'
const DOMAIN = 'capulet.example'
const JULIET = `juliet@${DOMAIN}`
const BALCONY = `${JULIET}/balcony`

interface Friends { readonly server: World, readonly other: RemoteServer, readonly romeo: Client }

/** Romeo and Juliet, whose server is another, see each other. */
async function friends (server: World): Promise<Friends> {
  const romeo = await online(server, 'romeo@localhost/orchard')
  const all = { server, other: new RemoteServer(server, DOMAIN), romeo }
  await befriend(all, JULIET)
  return all
}

async function befriend ({ other, romeo }: Friends, contact: string): Promise<void> {
  await romeo.sends(`<presence type='subscribe' to='${contact}'/>`)
  await other.sends(`<presence from='${contact}' to='romeo@localhost' type='subscribed'/>`)
  await other.sends(`<presence from='${contact}' to='romeo@localhost' type='subscribe'/>`)
  await romeo.sends(`<presence type='subscribed' to='${contact}'/>`)
  await romeo.received()
  await other.received()
}

async function announces ({ other }: Friends, from: string, content: string): Promise<void> {
  await other.sends(`<presence from='${from}' to='romeo@localhost'>${content}</presence>`)
}

/** Once nothing is under way. */
async function interested ({ server: { core, idle }, romeo }: Friends, node: string): Promise<readonly string[]> {
  await idle()
  return [...core.caps.remoteInterested(romeo.session.account, node)].map(String)
}

/** Juliet's client is known. */
async function knowing (server: World): Promise<Friends> {
  const all = await friends(server)
  const { c, query } = software(MOOD)
  await announces(all, BALCONY, c)
  const [request = ''] = await infoRequests(all.other)
  await all.other.sends(answer(request, query, BALCONY))
  await server.idle()
  return all
}

describe('a contact\'s client', () => {
  test('is asked in the account\'s name, and what it wants is known', async () => {
    const all = await friends(await world())
    const { c, query } = software(MOOD)
    const heard: string[] = []
    all.server.core.part('test').when('contact.interested', ({ jid }, client) => {
      heard.push(`${jid}: ${client.jid} ${[...client.before].join()} → ${[...client.notify].join()}`)
    })

    await announces(all, BALCONY, c)
    const [request = ''] = await infoRequests(all.other)
    await all.other.sends(answer(request, query, BALCONY))

    expect([attribute(request, 'from'), attribute(request, 'to')]).toEqual(['romeo@localhost', BALCONY])
    expect([await interested(all, MOOD), await interested(all, TUNE)]).toEqual([[BALCONY], []])
    expect(heard).toEqual([`romeo@localhost: ${BALCONY}  → ${MOOD}`])
  })

  test('is not asked what is known of others, nor where others are being asked', async () => {
    const all = await friends(await world())
    await befriend(all, `nurse@${DOMAIN}`)
    const [own, others] = [software(MOOD), software(TUNE)]
    await all.romeo.sends(`<presence>${own.c}</presence>`)
    await answersInfo(all.server, all.romeo, own.query)
    await all.other.received()

    await announces(all, BALCONY, own.c)
    for (const resource of ['a', 'b', 'c']) await announces(all, `nurse@${DOMAIN}/${resource}`, others.c)
    const asked = await infoRequests(all.other)
    await all.other.sends(answer(asked[0] ?? '', others.query, `nurse@${DOMAIN}/a`))

    expect(asked).toHaveLength(1)
    expect(await interested(all, MOOD)).toEqual([BALCONY])
    expect(await interested(all, TUNE)).toHaveLength(3)
  })

  test('wants what it wanted while a presence says nothing of it (XEP-0115 §8.4)', async () => {
    const all = await knowing(await world())

    await announces(all, BALCONY, '<show>away</show>')

    expect(await interested(all, MOOD)).toEqual([BALCONY])
  })

  test.each([
    ['it goes offline', `<presence from='${BALCONY}' to='romeo@localhost' type='unavailable'/>`],
    ['all of the contact\'s do', `<presence from='${JULIET}' to='romeo@localhost' type='unavailable'/>`],
    ['its server says that there is no such contact', `<presence from='${JULIET}' to='romeo@localhost' type='error'/>`],
    ['its server can\'t be reached', `<message from='nurse@${DOMAIN}' to='romeo@localhost' type='error'>
      <error type='wait'><remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`],
    ['the contact ends his subscription', `<presence from='${JULIET}' to='romeo@localhost' type='unsubscribe'/>`],
  ])('is told nothing once %s', async (_, stanza) => {
    const all = await knowing(await world())

    await all.other.sends(stanza)

    expect(await interested(all, MOOD)).toEqual([])
  })

  test('is told, though a message to the contact came back', async () => {
    const all = await knowing(await world())

    await all.other.sends(`<message from='${JULIET}' to='romeo@localhost' type='error'>
      <error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`)

    expect(await interested(all, MOOD)).toEqual([BALCONY])
  })

  test('is told nothing once the account is offline, and nobody is asked then', async () => {
    const all = await knowing(await world())

    await all.romeo.sends("<presence type='unavailable'/>")
    await announces(all, `${JULIET}/chamber`, software(TUNE).c)

    expect(await interested(all, MOOD)).toEqual([])
    expect(await infoRequests(all.other)).toEqual([])
  })

  test('of a stranger is not asked', async () => {
    const all = await friends(await world())

    await announces(all, `tybalt@${DOMAIN}/hall`, software(MOOD).c)

    expect(await infoRequests(all.other)).toEqual([])
  })

  test('is forgotten behind 2000 others', async () => {
    const all = await knowing(await world())

    for (let n = 0; n < 2000; n++) await announces(all, `${JULIET}/${n}`, software(MOOD).c)

    const left = await interested(all, MOOD)
    expect(left).toHaveLength(2000)
    expect(left).not.toContain(BALCONY)
  })
})

/** Two nodes, on an empty database. */
async function twoNodes (): Promise<[Node, Node]> {
  for (const table of ['account', 'former_account', 'caps']) await database().query(`delete from ${table}`)
  const { nodes: [a, b] } = await redisNodes(2, streamManagement)
  if (!a || !b) throw new Error('there are two')
  return [a, b]
}

describe('where the account goes on at another node', () => {
  test('its sessions and their contacts are known there', async () => {
    const [a, b] = await twoNodes()
    const all = await knowing(a)
    const { romeo } = all
    const { c, query } = software(TUNE)
    await romeo.sends(`<presence>${c}</presence>`)
    await answersInfo(a, romeo, query)
    await romeo.sendsNonza(`<enable xmlns='${SM}' resume='true'/>`)
    const id = attribute((await romeo.received()).join(''), 'id')
    romeo.leaves()
    await a.core.accounts.giveUp(romeo.session.account)
    await expect.poll(async () => (await b.cluster.homes.find('romeo@localhost')).node).toBeUndefined()

    const again = await b.returns('romeo@localhost/orchard', `<resume xmlns='${SM}' previd='${id}' h='0'/>`)

    expect([...b.core.caps.notify(again.session)]).toEqual([TUNE])
    expect(await interested({ ...all, server: b, romeo: again }, MOOD)).toEqual([BALCONY])
    expect(await interested(all, MOOD), 'the node before has forgotten them').toEqual([])
  })

  test('after a node\'s death contacts are asked whether they are there', async () => {
    const [a, b] = await twoNodes()
    const all = await knowing(a)
    const { romeo } = all
    const other = new RemoteServer(b, DOMAIN)
    await romeo.sendsNonza(`<enable xmlns='${SM}' resume='true'/>`)
    const id = attribute((await romeo.received()).join(''), 'id')
    await a.persists()
    a.dies()
    await expect.poll(() => b.cluster.membership.isAlive(a.cluster.membership.id)).toBe(false)

    const again = await b.returns('romeo@localhost/orchard', `<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    const heard = await other.received()
    await other.sends(`<presence from='${BALCONY}' to='romeo@localhost'>${software(MOOD).c}</presence>`)

    expect(heard).toEqual([expect.stringMatching(`^<presence from='romeo@localhost' to='${JULIET}'.* type='probe'/>`)])
    expect(await infoRequests(other), 'the database knows').toEqual([])
    expect(await interested({ ...all, server: b, romeo: again }, MOOD)).toEqual([BALCONY])
  })
})
