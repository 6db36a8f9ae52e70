/** XEP-0191: Blocking Command, line by line. */
import { describe, expect, test } from 'vitest'
import { el, extension, message } from '../../src/extension/api.ts'
import { NS_STANZA_ERRORS } from '../../src/xmpp/ns.ts'
import { online, subscribes } from '../../test/support/world/online.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { world } from '../../test/support/world/world.ts'
import { blocking } from './index.ts'

const NS = 'urn:xmpp:blocking'

interface Pair { readonly server: World, readonly romeo: Client, readonly juliet: Client }

/** Romeo and Juliet see each other. */
async function pair (): Promise<Pair> {
  const server = await world(blocking)
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await online(server, 'juliet@localhost/balcony')
  await subscribes(romeo, juliet)
  await subscribes(juliet, romeo)
  return { server, romeo, juliet }
}

function items (...jids: readonly string[]): string {
  return jids.map(jid => `<item jid='${jid}'/>`).join('')
}

async function blocks (client: Client, ...jids: readonly string[]): Promise<void> {
  await client.asks('set', `<block xmlns='${NS}'>${items(...jids)}</block>`)
}

async function unblocks (client: Client, ...jids: readonly string[]): Promise<void> {
  await client.asks('set', `<unblock xmlns='${NS}'>${items(...jids)}</unblock>`)
}

async function listOf (client: Client): Promise<readonly (string | undefined)[]> {
  const list = await client.asks('get', `<blocklist xmlns='${NS}'/>`)
  expect(list?.getName()).toBe('blocklist')
  return list?.getChildren('item', NS).map(item => item.attrs.jid) ?? []
}

test('who sees the user go since he is blocked has no time left to say anything', async () => {
  const hasty = extension({
    name: 'hasty', xeps: [],
    setup (host) {
      host.on('write', 'track', ({ type, from }, { jid }) => {
        if (type !== 'unavailable' || !from || jid.local !== 'romeo') return
        host.messages.route(message('chat', { from: jid, to: from.bare }, el('body', 'jabber:client', {}, 'wait')))
      })
    },
  })
  const server = await world(blocking, hasty)
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await online(server, 'juliet@localhost/balcony')
  await subscribes(romeo, juliet)

  await blocks(juliet, 'romeo@localhost')

  expect(await romeo.receivedInBrief()).toContain('unavailable from juliet@localhost/balcony')
  expect(await juliet.received()).toEqual([])
})

describe('the list', () => {
  test('is empty at first, and then has what was blocked and not unblocked (§3.2)', async () => {
    const { juliet } = await pair()
    expect(await listOf(juliet)).toEqual([])

    await blocks(juliet, 'romeo@localhost', 'iago@example.com', 'Example.net')
    await unblocks(juliet, 'iago@example.com')

    expect(await listOf(juliet)).toEqual(['romeo@localhost', 'example.net'])
  })

  test('outlives the session and the server\'s memory (§3.3)', async () => {
    const { server, romeo, juliet } = await pair()
    await blocks(juliet, 'romeo@localhost')
    juliet.leaves()
    await server.core.accounts.forget(juliet.session.account.jid)

    const balcony = await online(server, 'juliet@localhost/balcony')
    await romeo.says('juliet@localhost', 'hello')

    expect(await listOf(balcony)).toEqual(['romeo@localhost'])
    expect(await balcony.received()).toEqual([])
  })

  test.each([
    ['that names nobody', '', 'bad-request'],
    ['of an item without an address', '<item/>', 'bad-request'],
    ['of an address that is none', "<item jid='@'/>", 'jid-malformed'],
  ])('does not change by a block %s', async (_, item, condition) => {
    const { juliet } = await pair()

    await expect(juliet.asks('set', `<block xmlns='${NS}'>${item}</block>`)).rejects.toThrow(condition)

    expect(await listOf(juliet)).toEqual([])
  })

  test('is announced by the server (§3.1)', async () => {
    const { juliet } = await pair()

    const info = await juliet.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", 'localhost')

    expect(info?.toString()).toContain(`'${NS}'`)
  })

  test.each(['block', 'unblock'])('is pushed to the devices that asked for it: %s (§3.3, §3.4)', async name => {
    const { server, juliet } = await pair()
    const chamber = await server.client('juliet@localhost/chamber')
    if (name === 'unblock') await blocks(chamber, 'iago@example.com')
    await listOf(juliet)

    await chamber.asks('set', `<${name} xmlns='${NS}'>${items('iago@example.com')}</${name}>`)

    const [push, ...others] = await juliet.received()
    expect(push).toMatch(/^<iq [^>]*to='juliet@localhost\/balcony'/)
    expect(push).toMatch(new RegExp(`<${name} xmlns='${NS}'><item [^>]*jid='iago@example.com'/></${name}></iq>$`))
    expect(others).toEqual([])
    expect(await chamber.received()).toEqual([])
  })
})

describe('who is blocked (§3.3)', () => {
  test('sees the user go, and sees nothing more of the user', async () => {
    const { server, romeo, juliet } = await pair()

    await blocks(juliet, 'romeo@localhost')
    await juliet.sends('<presence><show>dnd</show></presence>')
    await romeo.sends("<presence type='probe' to='juliet@localhost'/>")
    juliet.leaves()
    await online(server, 'juliet@localhost/balcony')

    expect(await romeo.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
  })

  test('sees nothing where the user was not to be seen', async () => {
    const server = await world(blocking)
    const juliet = await online(server, 'juliet@localhost/balcony')
    const iago = await online(server, 'iago@localhost/venice')

    await blocks(juliet, 'iago@localhost')
    await unblocks(juliet)

    expect(await iago.received()).toEqual([])
  })

  test('and was sent presence directly sees its end', async () => {
    const server = await world(blocking)
    const juliet = await online(server, 'juliet@localhost/balcony')
    const iago = await online(server, 'iago@localhost/venice')
    await juliet.sends("<presence to='iago@localhost/venice'/>")
    await iago.received()

    await blocks(juliet, 'iago@localhost')

    expect(await iago.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
  })

  test('is answered as if nobody were there, and the user hears nothing', async () => {
    const { romeo, juliet } = await pair()
    await blocks(juliet, 'romeo@localhost')
    await romeo.received()

    await romeo.says('juliet@localhost', 'hello')
    await romeo.says('juliet@localhost/balcony', 'hello')
    await expect(romeo.asks('get', "<ping xmlns='urn:xmpp:ping'/>", 'juliet@localhost/balcony'))
      .rejects.toThrow('service-unavailable')
    await expect(romeo.asks('get', "<ping xmlns='urn:xmpp:ping'/>", 'juliet@localhost'))
      .rejects.toThrow('service-unavailable')
    await romeo.sends("<iq type='result' id='r1' to='juliet@localhost/balcony'/>")

    expect(await romeo.receivedInBrief()).toEqual([
      'message error service-unavailable from juliet@localhost',
      'message error service-unavailable from juliet@localhost/balcony'])
    expect(await juliet.received()).toEqual([])
  })

  test.each(['', 'unavailable', 'subscribe', 'subscribed', 'unsubscribe', 'unsubscribed', 'probe', 'error'])(
    'gets no answer to presence of type "%s"', async type => {
      const { romeo, juliet } = await pair()
      await blocks(juliet, 'romeo@localhost')
      await romeo.received()

      await romeo.sends(`<presence to='juliet@localhost' ${type && `type='${type}'`}/>`)

      const answers = (await romeo.receivedInBrief()).filter(one => !one.startsWith('push'))
      expect(answers).toEqual([])
      expect(await juliet.received()).toEqual([])
    })

  test('is sent nothing, and the user is told why', async () => {
    const { romeo, juliet } = await pair()
    await blocks(juliet, 'romeo@localhost')
    await romeo.received()

    await juliet.sends("<message to='romeo@localhost' id='m1'><body>hello</body></message>")
    await juliet.sends("<presence to='romeo@localhost' id='p1' type='subscribe'/>")
    await juliet.sends("<iq to='romeo@localhost/orchard' id='i1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>")
    await juliet.sends("<iq to='romeo@localhost/orchard' id='i2' type='result'/>")

    const errors = await juliet.received()
    expect(errors.map(xml => /id='([^']*)'/.exec(xml)?.[1])).toEqual(['m1', 'p1', 'i1'])
    for (const error of errors) {
      expect(error).toMatch(/<error [^>]*type='cancel'/)
      expect(error).toContain(
        `<not-acceptable xmlns='${NS_STANZA_ERRORS}'/><blocked xmlns='urn:xmpp:blocking:errors'/>`)
    }
    expect(await romeo.received()).toEqual([])
  })

  test('sees the user again when no longer blocked, also when nobody is (§3.4, §3.5)', async () => {
    const { romeo, juliet } = await pair()
    await juliet.sends('<presence><show>chat</show></presence>')

    for (const named of [['romeo@localhost'], []]) {
      await blocks(juliet, 'romeo@localhost')
      await romeo.received()
      await unblocks(juliet, ...named)

      expect(await romeo.received()).toEqual([
        "<presence from='juliet@localhost/balcony' to='romeo@localhost'><show>chat</show></presence>"])
    }
    await romeo.says('juliet@localhost', 'hello')
    expect(await juliet.receivedInBrief()).toContain('chat from romeo@localhost/orchard: hello')
  })

  test('in two ways stays blocked by the other', async () => {
    const { romeo, juliet } = await pair()
    await blocks(juliet, 'romeo@localhost', 'localhost')
    await romeo.received()

    await unblocks(juliet, 'romeo@localhost')

    expect(await romeo.received()).toEqual([])
  })

  test('are never the user\'s own devices, nor the server', async () => {
    const { server, juliet } = await pair()
    const chamber = await online(server, 'juliet@localhost/chamber')
    await juliet.received()

    await blocks(juliet, 'localhost', 'juliet@localhost')
    await juliet.says('juliet@localhost/chamber', 'a note')

    expect(await chamber.receivedInBrief()).toContain('chat from juliet@localhost/balcony: a note')
    expect(await juliet.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", 'localhost'))
      .toBeDefined()
  })
})

// §6.
test.each([
  ['romeo@localhost/orchard', ['orchard']], ['romeo@localhost', ['orchard', 'garden']],
  ['localhost/garden', ['garden']], ['localhost', ['orchard', 'garden']],
  ['romeo@localhost/else', []], ['romeo@example.com', []],
])('an item %s is about these resources: %s', async (item, blocked) => {
  const { server, romeo, juliet } = await pair()
  const garden = await online(server, 'romeo@localhost/garden')
  await juliet.received()

  await blocks(juliet, item)
  await romeo.says('juliet@localhost', 'orchard')
  await garden.says('juliet@localhost', 'garden')

  const bodies = (await juliet.receivedInBrief()).map(one => one.split(': ')[1])
  expect(['orchard', 'garden'].filter(resource => !bodies.includes(resource))).toEqual(blocked)
})

test('a resource that alone is blocked alone sees the user go', async () => {
  const { server, romeo, juliet } = await pair()
  const garden = await online(server, 'romeo@localhost/garden')
  await romeo.received()

  await blocks(juliet, 'romeo@localhost/garden')

  expect(await garden.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
  expect(await romeo.received()).toEqual([])
})
