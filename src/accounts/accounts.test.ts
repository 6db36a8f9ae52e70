/** RFC 6121 §8.5 and RFC 6120 §10: what reaches an account, in which order, and what does not. */
import { describe, expect, test } from 'vitest'
import { manyDevices } from '../../test/support/world/many-devices.ts'
import { online, subscribes } from '../../test/support/world/online.ts'
import type { World } from '../../test/support/world/world.ts'
import { world } from '../../test/support/world/world.ts'
import { extension } from '../extension/api.ts'
import { Jid } from '../xmpp/jid.ts'
import { deriveCredentials } from './credentials.ts'

/** An account that nothing in memory knows of, as all are after a start. */
async function stored (server: World, jid: string): Promise<void> {
  const client = await server.client(`${jid}/once`)
  await server.core.accounts.forget(client.session.account.jid)
}

test('an account is found by who logs in right after it was made, even while others still look for it', async () => {
  const server = await world()
  const credentials = await deriveCredentials('secret')
  for (let i = 0; i < 20; i++) {
    const jid = Jid.parse(`juliet${i}@localhost`)
    const made = server.core.store.create(jid, credentials)
    const others = Array.from({ length: 40 }, () => server.core.accounts.load(jid))
    await made
    expect((await server.core.accounts.open(jid, false)).jid.toString()).toBe(jid.toString())
    await Promise.all(others)
  }
})

describe('a message to an account (RFC 6121 §8.5.2)', () => {
  test.each(['chat', 'normal', 'headline'])('of type %s goes to all its resources but negative ones', async type => {
    const server = await world()
    const balcony = await online(server, 'juliet@localhost/balcony')
    const chamber = await server.client('juliet@localhost/chamber')
    const pager = await server.client('juliet@localhost/pager')
    const romeo = await server.client('romeo@localhost/orchard')
    await chamber.sends('<presence><priority>7</priority></presence>')
    await pager.sends('<presence><priority>-1</priority></presence>')
    for (const client of [balcony, chamber, pager]) await client.received()

    await romeo.sends(`<message to='juliet@localhost' type='${type}'><body>hello</body></message>`)

    expect(await balcony.receivedInBrief()).toEqual([`${type} from romeo@localhost/orchard: hello`])
    expect(await chamber.receivedInBrief()).toEqual([`${type} from romeo@localhost/orchard: hello`])
    expect(await pager.received()).toEqual([])
  })

  test('reaches a session whose priority rose from below zero, and none whose fell below it', async () => {
    const server = await world()
    const juliet = await online(server, 'juliet@localhost/balcony')
    const romeo = await server.client('romeo@localhost/orchard')

    await juliet.sends('<presence><priority>-1</priority></presence>')
    await romeo.says('juliet@localhost', 'one')
    await juliet.sends('<presence><priority>0</priority></presence>')
    await romeo.says('juliet@localhost', 'two')

    expect((await juliet.receivedInBrief()).filter(one => one.startsWith('chat'))).toEqual([
      'chat from romeo@localhost/orchard: two'])
  })

  test.each([
    ['chat', 'message error service-unavailable from juliet@localhost'],
    ['normal', 'message error service-unavailable from juliet@localhost'],
    ['groupchat', 'message error service-unavailable from juliet@localhost'],
    ['headline', undefined],
    ['error', undefined],
  ])('of type %s that nobody is there for is answered with %s', async (type, answer) => {
    const server = await world()
    await stored(server, 'juliet@localhost')
    const romeo = await server.client('romeo@localhost/orchard')

    await romeo.sends(`<message to='juliet@localhost' type='${type}'><body>hello</body></message>`)

    expect(await romeo.receivedInBrief()).toEqual(answer === undefined ? [] : [answer])
  })

  test('goes to no session that has ended', async () => {
    const server = await world()
    const juliet = await online(server, 'juliet@localhost/balcony')
    const romeo = await server.client('romeo@localhost/orchard')
    juliet.leaves()

    await romeo.says('juliet@localhost', 'hello')
    await romeo.says('juliet@localhost/balcony', 'hello')

    expect(await romeo.receivedInBrief()).toEqual([
      'message error service-unavailable from juliet@localhost',
      'message error service-unavailable from juliet@localhost/balcony'])
  })

  const PAYLOADS = [
    '<body>hello</body>', '<subject>hello</subject>', "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
    "<received xmlns='urn:xmpp:receipts' id='1'/>", "<thing xmlns='urn:example:unknown'/>",
    "<body>hello</body><no-store xmlns='urn:xmpp:hints'/>",
    "<thing xmlns='urn:example:unknown'/><store xmlns='urn:xmpp:hints'/>",
    '',
  ]

  test.each(['chat', 'normal', 'groupchat', 'headline', 'error'].flatMap(type =>
    ['', '/away'].map(resource => [type, resource] as const)))(
    'of type %s to @localhost%s tells nobody whether there is an account (§8.5.1)', async (type, resource) => {
      const server = await world()
      await stored(server, 'juliet@localhost')
      const romeo = await server.client('romeo@localhost/orchard')
      const answersOf = async (local: string, payload: string): Promise<string[]> => {
        await romeo.sends(`<message to='${local}@localhost${resource}' type='${type}'>${payload}</message>`)
        return (await romeo.receivedInBrief()).map(answer => answer.replaceAll(local, 'X'))
      }

      for (const payload of PAYLOADS) {
        expect([payload, await answersOf('nobody', payload)]).toEqual([payload, await answersOf('juliet', payload)])
      }
    })

  test('without an address is for the sender\'s own account (RFC 6120 §10.3.1)', async () => {
    const server = await world()
    const orchard = await online(server, 'romeo@localhost/orchard')
    const garden = await server.client('romeo@localhost/garden')

    await garden.sends("<message type='chat'><body>a note</body></message>")

    expect(await orchard.receivedInBrief()).toEqual(['chat from romeo@localhost/garden: a note'])
  })
})

describe('order between two parties (RFC 6120 §10.1)', () => {
  test('holds for many messages to an account that has to be loaded', async () => {
    const server = await world()
    await stored(server, 'juliet@localhost')
    const romeo = await server.client('romeo@localhost/orchard')
    const bodies = Array.from({ length: 50 }, (_, i) => `message ${i}`)

    const says = (body: string): Promise<void> =>
      romeo.sends(`<message to='juliet@localhost' type='chat' id='${body}'><body>${body}</body></message>`)
    const [first] = bodies.map(says)
    await first
    await says('what follows the first')

    const answers = (await romeo.received()).map(xml => /id='([^']*)'/.exec(xml)?.[1])
    expect(answers).toEqual([...bodies, 'what follows the first'])
  })

  test('holds between what the database is asked for and what follows it', async () => {
    const server = await world()
    const juliet = await online(server, 'juliet@localhost/balcony')
    const romeo = await online(server, 'romeo@localhost/orchard')

    await romeo.sends("<presence to='juliet@localhost' type='subscribe'/>")
    await romeo.says('juliet@localhost', 'please')
    await romeo.sends("<presence to='juliet@localhost' type='unsubscribe'/>")
    await romeo.says('juliet@localhost', 'never mind')

    expect(await juliet.receivedInBrief()).toEqual([
      'subscribe from romeo@localhost', 'chat from romeo@localhost/orchard: please',
      'unsubscribe from romeo@localhost', 'chat from romeo@localhost/orchard: never mind'])
  })

  test('holds between the first message that loads an account and the session that is bound meanwhile', async () => {
    const server = await world()
    await stored(server, 'juliet@localhost')
    const romeo = await server.client('romeo@localhost/orchard')

    const first = romeo.says('juliet@localhost', 'one')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await first
    await romeo.says('juliet@localhost', 'two')

    expect(await juliet.receivedInBrief()).toContain('chat from romeo@localhost/orchard: two')
    expect(server.core.accounts.peek(juliet.session.jid)).toBe(juliet.session.account)
  })
})

describe('an account that is removed', () => {
  test('leaves no row behind', async () => {
    const server = await world()
    const juliet = await online(server, 'juliet@localhost/balcony')
    const romeo = await online(server, 'romeo@localhost/orchard')
    await subscribes(juliet, romeo)
    await subscribes(romeo, juliet)

    await server.core.commands.remove(juliet.session.account.jid)
    await juliet.received()

    expect(await rowsOf(server, 'juliet@localhost')).toEqual([])
    expect(await rowsOf(server, 'romeo@localhost')).not.toEqual([])
  })

  test('ends its streams, and its contacts see it go and hear that the subscriptions ended', async () => {
    const server = await world()
    const juliet = await online(server, 'juliet@localhost/balcony')
    const romeo = await online(server, 'romeo@localhost/orchard')
    const nurse = await online(server, 'nurse@localhost/kitchen')
    await subscribes(juliet, romeo)
    await subscribes(romeo, juliet)
    await juliet.sends("<presence to='nurse@localhost'/>")
    await nurse.received()

    await server.core.commands.remove(juliet.session.account.jid)

    expect(await romeo.receivedInBrief()).toEqual([
      'unavailable from juliet@localhost/balcony', 'unsubscribe from juliet@localhost', 'push juliet@localhost to',
      'unsubscribed from juliet@localhost', 'push juliet@localhost none'])
    expect(await nurse.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
    expect(juliet.ended?.condition).toBe('not-authorized')
  })

  test('is gone from the subscriptions of contacts who are away, as soon as the removal is done', async () => {
    const server = await world()
    const juliet = await online(server, 'juliet@localhost/balcony')
    const romeo = await online(server, 'romeo@localhost/orchard')
    await subscribes(juliet, romeo)
    await subscribes(romeo, juliet)
    for (const { session } of [juliet, romeo]) await server.core.accounts.forget(session.account.jid)

    await server.core.commands.remove(juliet.session.account.jid)

    expect(await server.db.query("select contact, subscription from roster_item where owner = 'romeo@localhost'"))
      .toEqual([{ contact: 'juliet@localhost', subscription: 'none' }])
  })

  test('takes its unanswered requests with it', async () => {
    const server = await world()
    await stored(server, 'romeo@localhost')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await juliet.sends("<presence to='romeo@localhost' type='subscribe'/>")

    await server.core.commands.remove(juliet.session.account.jid)
    await juliet.received()

    const romeo = await server.client('romeo@localhost/orchard')
    await romeo.comesOnline()
    expect(await romeo.receivedInBrief()).toEqual(['available from romeo@localhost/orchard'])
  })

  test('is as if it had never been', async () => {
    const server = await world()
    const juliet = await online(server, 'juliet@localhost/balcony')
    const romeo = await server.client('romeo@localhost/orchard')
    await server.core.commands.remove(juliet.session.account.jid)
    await juliet.received()

    await romeo.says('juliet@localhost', 'art thou there?')

    expect(await romeo.receivedInBrief()).toEqual(['message error service-unavailable from juliet@localhost'])
    await expect(server.core.commands.remove(juliet.session.account.jid)).rejects.toThrow('there is no such account')
    await expect(server.core.accounts.open(juliet.session.account.jid, false)).rejects.toThrow(
      'the account no longer exists',
    )
  })
})

/** The tables in which an account owns something, found by the names that such columns have. */
async function rowsOf ({ db }: World, owner: string): Promise<readonly string[]> {
  const columns = await db.query<{ table_name: string, column_name: string }>(
    `select table_name, column_name from information_schema.columns
     where table_schema = current_schema() and column_name in ('owner', 'jid', 'account')`)
  expect(columns.length).toBeGreaterThanOrEqual(5)
  const found: string[] = []
  for (const { table_name: table, column_name: column } of columns) {
    const rows = await db.query(`select 1 from ${table} where ${column} = $1`, [owner])
    if (rows.length > 0) found.push(table)
  }
  return found
}

test('the sessions of an account that is removed end in many turns', async () => {
  let ended = 0
  const server = await world(extension({
    name: 'hard-work',
    xeps: [],
    setup (host) {
      host.when('session.ended', () => {
        const until = performance.now() + 1
        while (performance.now() < until);
        ended++
      })
    },
  }))
  await server.client('juliet@localhost/first')
  const [device] = await manyDevices(server, 'juliet@localhost', 30)
  const account = device?.session.account

  const forgotten = account && server.core.accounts.forget(account.jid)
  const atOnce = ended
  await forgotten

  expect(atOnce).toBeLessThan(15)
  expect(ended).toBe(31)
  expect(account?.sessions).toEqual([])
})
