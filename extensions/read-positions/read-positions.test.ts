/** XEP-0490: how far chats were read is known to all devices. */
import { beforeEach, describe, expect, test } from 'vitest'
import { filled, request, wants } from '../../test/support/world/nodes.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { archive } from '../archive/index.ts'
import { carbons } from '../carbons/index.ts'
import { readPositions } from './index.ts'

const NS = 'urn:xmpp:mds:displayed:0'
const MARKER = "<displayed xmlns='urn:xmpp:chat-markers:0' id='the-msg-1'/>"
const ROMEO = 'romeo@localhost'

let server: World
let juliet: Client
let romeo: Client

beforeEach(async () => {
  server = await world(archive, carbons, readPositions)
  juliet = await server.client('juliet@localhost/balcony')
  romeo = await server.client(`${ROMEO}/orchard`)
  for (const one of [juliet, romeo]) await one.comesOnline()
})

function position (id: string): string {
  return `<displayed xmlns='${NS}'><stanza-id xmlns='urn:xmpp:sid:0' by='juliet@localhost' id='${id}'/></displayed>`
}

/** The positions that are kept, by chat. */
async function kept (): Promise<Readonly<Record<string, string>>> {
  await server.idle()
  const answer = await juliet.asks('get', request(`<items node='${NS}'/>`)).catch(() => undefined)
  const items = answer?.getChild('items')?.getChildren('item') ?? []
  return Object.fromEntries(items.map(item => [item.attrs['id'], String(item.getChild('displayed', NS)?.toString())]))
}

describe('a position that is sent with a marker (§4)', () => {
  test('is kept for the chat, and goes to nobody else', async () => {
    await juliet.sends(`<message to='${ROMEO}' type='chat' id='m1'>${MARKER}${position('a1')}</message>`)

    const message = (await romeo.received()).join()
    expect(message).toContain("id='the-msg-1'")
    expect(message).not.toContain(NS)
    expect(await kept()).toEqual({ [ROMEO]: position('a1') })
  })

  test.each([['juliet', () => juliet], ['romeo', () => romeo]])('is not in the archive of %s', async (_, who) => {
    await juliet.sends(`<message to='${ROMEO}' type='chat' id='m1'>${MARKER}${position('a1')}</message>`)
    await server.idle()
    await who().received()

    await who().asks('set', "<query xmlns='urn:xmpp:mam:2'/>")

    const archived = (await who().received()).join()
    expect(archived).toContain("id='the-msg-1'")
    expect(archived).not.toContain(NS)
  })

  test('is told to the user\'s other devices', async () => {
    const garden = await server.client('juliet@localhost/garden')
    await garden.comesOnline()
    await wants(garden, NS)
    await garden.received()

    await juliet.sends(`<message to='${ROMEO}' type='chat' id='m1'>${MARKER}${position('a1')}</message>`)
    await server.idle()

    expect((await garden.received()).filter(text => text.includes(NS)).join()).toContain(position('a1'))
  })

  test('takes the place of the last one of the chat, and of no other', async () => {
    for (const [to, id] of [[ROMEO, 'a1'], ['play@conference.localhost', 'b1'], [ROMEO, 'a2']]) {
      await juliet.sends(`<message to='${to}' id='${id}'>${MARKER}${position(String(id))}</message>`)
    }

    expect(await kept()).toEqual({ [ROMEO]: position('a2'), 'play@conference.localhost': position('b1') })
  })

  test('is the user\'s alone (§6)', async () => {
    await juliet.sends(`<message to='${ROMEO}' type='chat' id='m1'>${MARKER}${position('a1')}</message>`)
    await server.idle()

    const asked = romeo.asks('get', request(`<items node='${NS}'/>`), 'juliet@localhost')

    await expect(asked).rejects.toThrow()
  })

  test('is taken out of what has no recipient, too', async () => {
    await juliet.sends(`<message type='chat' id='m1'>${MARKER}${position('a1')}</message>`)

    expect(await kept()).toEqual({})
    expect((await juliet.received()).join()).not.toContain(NS)
  })
})

test('more positions than fit at once cost nobody but their sender', async () => {
  const large = `<displayed xmlns='${NS}'>${'x'.repeat(130_000)}</displayed>`

  for (let number = 0; number < 5; number++) {
    await juliet.sends(`<message to='${ROMEO}' id='m${number}'><body>hi</body>${large}</message>`)
  }
  await server.idle()
  await kept() // behind those that are being published
  await juliet.sends(`<message to='${ROMEO}' type='chat' id='m9'>${MARKER}${position('a9')}</message>`)

  expect(await kept()).toEqual({ [ROMEO]: position('a9') })
  expect((await romeo.received()).filter(text => text.includes('<body>hi')).length).toBe(5)
})

test('a position that a client publishes fits the same node (§3.1)', async () => {
  await juliet.sends(`<message to='${ROMEO}' type='chat' id='m1'>${MARKER}${position('a1')}</message>`)

  await juliet.asks('set', request(`<publish node='${NS}'><item id='other@localhost'>${position('b1')}</item></publish>` +
    `<publish-options>${filled('publish-options', {
      persist_items: 'true', max_items: 'max', send_last_published_item: 'never', access_model: 'whitelist',
    })}</publish-options>`))

  expect(await kept()).toEqual({ [ROMEO]: position('a1'), 'other@localhost': position('b1') })
})
