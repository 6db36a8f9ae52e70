/** XEP-0198 §4: what becomes of that which was never acknowledged. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { numbered } from '../../test/support/world/archive-numbers.ts'
import { online, subscribes } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client } from '../../test/support/world/world.ts'
import { ack, enables, keeper, PATIENCE_MS } from '../../test/support/wire/stream-management.ts'
import { chatStates } from '../chat-states/index.ts'
import { streamManagement } from './index.ts'

beforeEach(() => { vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }) })
afterEach(() => { vi.useRealTimers() })

/** Lets time pass, and the server look for who is late. */
function wait (milliseconds: number): void {
  vi.advanceTimersByTime(milliseconds)
}

describe('what is left when the time is up', () => {
  async function leavesFor (client: Client, work: () => Promise<void>): Promise<void> {
    client.leaves()
    await work()
    wait(PATIENCE_MS + 1000)
  }

  test('comes back to its sender where it is kept nowhere and nobody else is there', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await enables(juliet)

    await leavesFor(juliet, async () => {
      await romeo.says('juliet@localhost', 'to the account')
      await romeo.says('juliet@localhost/balcony', 'to the device')
      await romeo.sends("<message to='juliet@localhost/balcony'><body>a normal one</body></message>")
    })

    expect(await romeo.receivedInBrief()).toEqual([
      'message error recipient-unavailable from juliet@localhost',
      'message error recipient-unavailable from juliet@localhost/balcony',
      'message error recipient-unavailable from juliet@localhost/balcony',
    ])
  })

  test('is answered where it was a request, and dropped where nothing may answer it', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await subscribes(romeo, juliet)
    await enables(juliet)
    await romeo.received()

    await leavesFor(juliet, async () => {
      await romeo.sends("<iq type='get' id='q' to='juliet@localhost/balcony'><query xmlns='urn:x'/></iq>")
      await romeo.sends("<iq type='result' id='r' to='juliet@localhost/balcony'/>")
      await romeo.sends("<message type='groupchat' to='juliet@localhost/balcony'><body>all</body></message>")
      await romeo.sends("<message type='headline' to='juliet@localhost'><body>news</body></message>")
      await romeo.sends("<message type='error' to='juliet@localhost/balcony'/>")
      await romeo.sends("<presence to='juliet@localhost/balcony'/>")
    })

    expect(await romeo.receivedInBrief()).toEqual([
      'unavailable from juliet@localhost/balcony',
      'iq error recipient-unavailable from juliet@localhost/balcony',
    ])
  })

  test.for([
    ['a chat state', "<composing xmlns='http://jabber.org/protocol/chatstates'/>"],
    [
      'a chat state in a thread',
      "<thread>t</thread><paused xmlns='http://jabber.org/protocol/chatstates'/><no-store xmlns='urn:xmpp:hints'/>",
    ],
    ['a piece of a byte stream', "<data xmlns='http://jabber.org/protocol/ibb' sid='s' seq='0'>AAAA</data>"],
    ['nothing', ''],
  ] as const)('is forgotten where it is %s: nobody hears of it late, nor of an error', async ([, payload]) => {
    const server = await world(chatStates, streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const balcony = await online(server, 'juliet@localhost/balcony')
    await enables(balcony)
    balcony.leaves()
    await romeo.sends(`<message type='chat' to='juliet@localhost/balcony'>${payload}</message>`)
    await romeo.sends(`<message type='chat' to='juliet@localhost'>${payload}</message>`)

    wait(PATIENCE_MS + 1000)

    expect(await romeo.receivedInBrief()).toEqual([])
  })

  test('comes back where nobody has said what it is worth, or a body stands beside a chat state', async () => {
    const server = await world(chatStates, streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const balcony = await online(server, 'juliet@localhost/balcony')
    await enables(balcony)

    await leavesFor(balcony, async () => {
      await romeo.sends("<message to='juliet@localhost'><unknown xmlns='urn:unknown'/></message>")
      await romeo.sends(
        "<message type='chat' to='juliet@localhost'><body>hi</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
      )
    })

    expect(await romeo.receivedInBrief()).toEqual(
      Array.from({ length: 2 }, () => 'message error recipient-unavailable from juliet@localhost'),
    )
  })

  test('goes to another device, that did not have it: a chat with the lost device as one with the account', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const balcony = await online(server, 'juliet@localhost/balcony')
    const garden = await online(server, 'juliet@localhost/garden')
    await enables(balcony)

    await leavesFor(balcony, async () => {
      await romeo.says('juliet@localhost', 'to the account')
      await romeo.says('juliet@localhost/balcony', 'to the device')
    })

    expect((await garden.receivedInBrief()).filter(one => one.startsWith('chat'))).toEqual([
      'chat from romeo@localhost/orchard: to the account',
      'chat from romeo@localhost/orchard: to the device',
    ])
    expect(await romeo.receivedInBrief()).toEqual([])
  })

  test('goes to a device that has come since', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const balcony = await online(server, 'juliet@localhost/balcony')
    await enables(balcony)
    balcony.leaves()
    await romeo.says('juliet@localhost', 'to the account')

    const garden = await online(server, 'juliet@localhost/garden')
    wait(PATIENCE_MS + 1000)

    expect(await garden.receivedInBrief()).toContain('chat from romeo@localhost/orchard: to the account')
  })

  test('goes to no device that copies of its messages go to anyway, nor to one that wants none', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const balcony = await online(server, 'juliet@localhost/balcony')
    const garden = await online(server, 'juliet@localhost/garden')
    garden.session.setFlag('urn:xmpp:carbons:2', true)
    const robot = await online(server, 'juliet@localhost/robot')
    await robot.sends('<presence><priority>-1</priority></presence>')
    await garden.received()
    await robot.received()
    await enables(balcony)

    await leavesFor(balcony, () => romeo.says('juliet@localhost/balcony', 'to the device'))

    expect(await garden.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
    expect(await robot.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
  })

  test('is no error where the account sent it itself', async () => {
    const server = await world(streamManagement)
    const balcony = await online(server, 'juliet@localhost/balcony')
    const garden = await online(server, 'juliet@localhost/garden')
    await enables(balcony)
    await garden.received()

    await leavesFor(balcony, () => garden.says('juliet@localhost/balcony', 'a note'))

    expect(await garden.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
  })

  test('is not for other devices where its sender said so (XEP-0334)', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const balcony = await online(server, 'juliet@localhost/balcony')
    const garden = await online(server, 'juliet@localhost/garden')
    await enables(balcony)
    await garden.received()

    await leavesFor(balcony, () => romeo.sends(
      "<message type='chat' to='juliet@localhost/balcony'><body>psst</body><no-copy xmlns='urn:xmpp:hints'/></message>",
    ))

    expect(await garden.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
    expect(await romeo.receivedInBrief()).toEqual(['message error recipient-unavailable from juliet@localhost/balcony'])
  })

  test('stays where it is kept: its sender hears of no error', async () => {
    const server = await world(keeper, streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await enables(juliet)

    await leavesFor(juliet, () => romeo.says('juliet@localhost/balcony', 'to the device'))

    expect(await romeo.receivedInBrief()).toEqual([])
  })

  test('is handed to another device where it is kept, under the id that it has', async () => {
    const server = await world(keeper, streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const balcony = await online(server, 'juliet@localhost/balcony')
    const garden = await online(server, 'juliet@localhost/garden')
    await enables(balcony)
    await garden.received()

    await leavesFor(balcony, () => romeo.says('juliet@localhost/balcony', 'to the device'))

    const [, handed = ''] = await garden.received()
    expect(numbered(handed, garden.session.account)).toMatch(
      /to the device.*<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@localhost' id='1'\/>/,
    )
    expect(await romeo.receivedInBrief()).toEqual([])
  })

  test('is asked about at once where the client closes its stream', async () => {
    const server = await world(streamManagement)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await enables(juliet)
    for (const body of ['one', 'two']) await romeo.says('juliet@localhost', body)

    await juliet.sendsNonza(ack(1))
    juliet.leaves(false)

    expect(await romeo.receivedInBrief()).toEqual(['message error recipient-unavailable from juliet@localhost'])
  })
})
