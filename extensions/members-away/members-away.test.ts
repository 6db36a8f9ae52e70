/** Members of a group who are not in it: see docs/groups.md. */
import { beforeEach, describe, expect, test } from 'vitest'
import {
  changes,
  comesOnce,
  COVEN,
  configures,
  enters,
  hears,
  leaves,
  owner,
  says,
} from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { archive } from '../archive/index.ts'
import { blocking } from '../blocking/index.ts'
import { chatMarkers } from '../chat-markers/index.ts'
import { chatStates } from '../chat-states/index.ts'
import { occupantId } from '../occupant-id/index.ts'
import { membersAway } from './index.ts'

const GROUP = { persistentroom: '1', membersonly: '1' }
const NODE = 'urn:heliograph:group:0#members-away'
const HAG = 'hag66@localhost'

let server: World
let crone: Client
let phone: Client

beforeEach(async () => {
  server = await world(blocking, archive, occupantId, chatMarkers, chatStates, membersAway)
  crone = await owner(server, undefined, undefined, GROUP)
  phone = await online(`${HAG}/phone`)
  await changes(crone, [{ jid: HAG, affiliation: 'member' }])
  await comesOnce(phone, 'thirdwitch')
  await phone.received()
  await crone.received()
})

async function online (jid: string, priority = 0): Promise<Client> {
  const client = await server.client(jid)
  await client.sends(`<presence><priority>${priority}</priority></presence>`)
  await client.received()
  return client
}

/** Tells the room whether to send messages. */
async function chooses (client: Client, deliver: string): Promise<void> {
  await client.asks(
    'set',
    `<command xmlns='http://jabber.org/protocol/commands' node='${NODE}'><x xmlns='jabber:x:data' type='submit'>` +
    `<field var='deliver'><value>${deliver}</value></field></x></command>`, COVEN)
}

describe('a member who is online and not in', () => {
  test('gets what is said as all others do: from the occupant, with the room\'s id', async () => {
    await crone.sends(`<message to='${COVEN}' type='groupchat' id='m1'><body>hail</body></message>`)

    const [message = '', ...rest] = await phone.received()
    expect(rest).toEqual([])
    expect(message.replace(`to='${HAG}/phone'`, "to='crone1@localhost/desktop'")).toBe((await crone.received())[0])
    expect(message).toContain(`by='${COVEN}'`)
  })

  test('gets it on each device that is not in, once, and once on that which is', async () => {
    const laptop = await online(`${HAG}/laptop`)
    await enters(laptop, 'thirdwitch')
    await laptop.received()
    const hidden = await online(`${HAG}/hidden`, -1)
    const connected = await server.client(`${HAG}/connected`)
    for (const client of [phone, laptop, hidden]) await client.received()

    await says(crone, 'hail')
    await says(laptop, 'hail yourself')

    const both = ['firstwitch: hail', 'thirdwitch: hail yourself']
    expect(await hears(phone)).toEqual(both)
    expect(await hears(laptop)).toEqual(both)
    for (const client of [hidden, connected]) expect(await hears(client)).toEqual([])
  })

  test('is told of a new subject, and of nothing that passes', async () => {
    const groupchat = (content: string): string => `<message to='${COVEN}' type='groupchat'>${content}</message>`
    await crone.sends(groupchat("<composing xmlns='http://jabber.org/protocol/chatstates'/>"))
    await crone.sends(groupchat("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/><store xmlns='urn:xmpp:hints'/>"))
    await crone.sends(groupchat('<subject>Fire Burn</subject>'))

    expect(await hears(phone)).toEqual([expect.stringContaining('Fire Burn')])
  })

  test('goes on being told after he left, and is not after he went', async () => {
    await enters(phone, 'thirdwitch')
    await leaves(phone, 'thirdwitch')
    await phone.received()
    await says(crone, 'one')
    expect(await hears(phone)).toEqual(['firstwitch: one'])

    await phone.sends("<presence type='unavailable'/>")
    await says(crone, 'two')
    await server.idle()
    await phone.sends('<presence/>')
    await says(crone, 'three')

    expect((await hears(phone)).filter(line => line.includes(':'))).toEqual(['firstwitch: three'])
  })

  test('is told nothing of a room, or somebody in it, that he has blocked', async () => {
    await phone.asks('set', `<block xmlns='urn:xmpp:blocking'><item jid='${COVEN}'/></block>`)
    await phone.received()

    await says(crone, 'hail')

    expect(await hears(phone)).toEqual([])
    expect(await hears(crone)).toEqual(['firstwitch: hail'])
  })
})

test('who comes online later is told what is said from then on, also in a room that was loaded since', async () => {
  phone.leaves(false)
  await says(crone, 'one')
  await server.idle()
  const tablet = await online(`${HAG}/tablet`)
  await says(crone, 'two')
  expect(await hears(tablet)).toEqual(['firstwitch: two'])

  server = await server.restarts()
  const laptop = await online(`${HAG}/laptop`)
  const again = await server.client('crone1@localhost/desktop')
  await enters(again, 'firstwitch')
  await says(again, 'three')
  expect(await hears(laptop)).toEqual(['firstwitch: three'])
})

test('who is made a member is told, and who is none any more is not', async () => {
  const stranger = await online('stranger@localhost/x')
  await says(crone, 'one')
  await server.idle()
  await changes(crone, [{ jid: 'stranger@localhost', affiliation: 'admin' }, { jid: HAG, affiliation: 'none' }])
  await comesOnce(stranger, 'stranger')
  await server.idle()

  await says(crone, 'two')

  expect(await hears(stranger)).toEqual(['firstwitch: two'])
  expect(await hears(phone)).toEqual(['firstwitch: one'])
})

test.each([
  ['is open', { membersonly: '0' }],
  ['ends with its last occupant', { persistentroom: '0' }],
  ['its owner has set not to', { '{urn:heliograph:group:0}members_away': '0' }],
])('a room that %s tells only who is in', async (_, values) => {
  await configures(crone, values)
  await phone.received()

  await says(crone, 'hail')

  expect(await hears(phone)).toEqual([])
  await expect(chooses(phone, '0')).rejects.toThrow('not-allowed')
})

describe('who was made a member, and never came nor asked for it,', () => {
  let stranger: Client

  beforeEach(async () => {
    stranger = await online('stranger@localhost/x')
    await changes(crone, [{ jid: 'stranger@localhost', affiliation: 'member' }])
    await hears(stranger)
  })

  test('gets nothing that is said, also after the room was in the database only', async () => {
    await says(crone, 'buy')
    expect(await hears(stranger)).toEqual([])

    server = await server.restarts()
    const later = await online('stranger@localhost/y')
    const again = await server.client('crone1@localhost/desktop')
    await enters(again, 'firstwitch')
    await says(again, 'buy')

    expect(await hears(later)).toEqual([])
  })

  test('gets it once he has come in, and when he was made something else meanwhile', async () => {
    await comesOnce(stranger, 'stranger')
    await changes(crone, [{ jid: 'stranger@localhost', affiliation: 'admin' }])
    await server.idle()

    await says(crone, 'hail')

    expect(await hears(stranger)).toEqual(['firstwitch: hail'])
  })

  test('gets it once he has asked for it', async () => {
    await chooses(stranger, '1')
    await server.idle()

    await says(crone, 'hail')

    expect(await hears(stranger)).toEqual(['firstwitch: hail'])
  })

  test('gets nothing either where he had come in before he was banned, and made a member anew', async () => {
    await comesOnce(stranger, 'stranger')
    await changes(crone, [{ jid: 'stranger@localhost', affiliation: 'outcast' }])
    await changes(crone, [{ jid: 'stranger@localhost', affiliation: 'member' }])
    await hears(stranger)

    await says(crone, 'buy')

    expect(await hears(stranger)).toEqual([])
  })
})

test('a member who has blocked somebody is told nothing of his where he is not in, and everything of others', async () => {
  await phone.asks('set', "<block xmlns='urn:xmpp:blocking'><item jid='crone1@localhost'/></block>")
  await phone.received()
  const other = await server.client('crone2@localhost/x')
  await changes(crone, [{ jid: 'crone2@localhost', affiliation: 'member' }])
  await enters(other, 'secondwitch')
  await server.idle()

  await says(crone, 'from whom he has blocked')
  await says(other, 'from another')

  expect(await hears(phone)).toEqual(['secondwitch: from another'])
})

describe('a member\'s own command (XEP-0050)', () => {
  test('is found, tells how it is, turns it off for all his devices and no other member, and on again', async () => {
    const other = await online('crone2@localhost/x')
    await changes(crone, [{ jid: 'crone2@localhost', affiliation: 'member' }])
    await comesOnce(other, 'secondwitch')
    await server.idle()
    const list = await phone.asks(
      'get',
      "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>",
      COVEN,
    )
    expect(String(list)).toContain(`node='${NODE}'`)
    const shown = await phone.asks(
      'set',
      `<command xmlns='http://jabber.org/protocol/commands' node='${NODE}' action='execute'/>`,
      COVEN,
    )
    expect(String(shown)).toMatch(/var='deliver'.*>1<\/value>/)

    await says(crone, 'one')
    await server.idle()
    await chooses(phone, '0')
    await server.idle()
    await says(crone, 'two')
    expect(await hears(phone)).toEqual(['firstwitch: one'])
    expect(await hears(other)).toEqual(['firstwitch: one', 'firstwitch: two'])

    await chooses(phone, 'true')
    await says(crone, 'three')
    expect(await hears(phone)).toEqual(['firstwitch: three'])
  })

  test('holds after the server was started again', async () => {
    await chooses(phone, '0')
    server = await server.restarts()
    const laptop = await online(`${HAG}/laptop`)
    const again = await server.client('crone1@localhost/desktop')
    await enters(again, 'firstwitch')

    await says(again, 'hail')

    expect(await hears(laptop)).toEqual([])
  })

  test('is for members', async () => {
    const stranger = await online('stranger@localhost/x')
    await expect(chooses(stranger, '0')).rejects.toThrow('forbidden')
    await expect(chooses(phone, 'maybe')).rejects.toThrow('bad-request')
  })
})
