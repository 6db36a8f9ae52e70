/** XEP-0045 §7.4 and §7.2.13: what is said to all, and shown to who comes later. */
import { describe, expect, test } from 'vitest'
import { extension, Jid, StanzaError } from '../../extension/api.ts'
import { COVEN, enters, hears, inside, owner, says } from '../../../test/support/world/rooms.ts'
import { world, worldWith } from '../../../test/support/world/world.ts'

const HAG = 'hag66@localhost/pda'

describe('a message to all (§7.4)', () => {
  test('reaches everybody, its sender too, from the sender\'s nick, with its id', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await hag.sends(
      `<message to='${COVEN}' type='groupchat' id='hysf1v37' xml:lang='en'><body>Harpier cries</body><x xmlns='urn:example:other'/></message>`,
    )

    const sent = (to: string): string =>
      `<message from='${COVEN}/thirdwitch' to='${to}' id='hysf1v37' type='groupchat' xml:lang='en'><body>Harpier cries</body><x xmlns='urn:example:other'/></message>`
    expect(await crone.received()).toEqual([sent('crone1@localhost/desktop')])
    expect(await hag.received()).toEqual([sent(HAG)])
  })

  test('carries nothing that only the room says', async () => {
    const server = await world()
    const crone = await owner(server)

    await crone.sends(
      `<message to='${COVEN}' type='groupchat'><x xmlns='http://jabber.org/protocol/muc#user'><status code='172'/></x>` +
        `<body>hail</body><stanza-id xmlns='urn:xmpp:sid:0' by='${COVEN}' id='forged'/><stanza-id xmlns='urn:xmpp:sid:0' by='x' id='1'/></message>`,
    )

    expect((await crone.received())[0]).toMatch(
      /'><body>hail<\/body><stanza-id xmlns='urn:xmpp:sid:0' by='x' id='1'\/><\/message>$/,
    )
  })

  test('arrives in the order in which it was sent, whoever else writes', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await Promise.all([1, 2, 3].flatMap(n => [says(crone, `crone ${n}`), says(hag, `hag ${n}`)]))

    const heard = await hears(crone)
    expect(heard).toHaveLength(6)
    expect(heard.filter(line => line.includes('hag'))).toEqual([
      'thirdwitch: hag 1',
      'thirdwitch: hag 2',
      'thirdwitch: hag 3',
    ])
    expect(await hears(hag)).toEqual(heard)
  })

  test.each([
    ['from somebody who is not in', { membersonly: '0' }, 'not-acceptable', false],
    ['from a visitor where voice is needed', { moderatedroom: '1' }, 'forbidden', true],
  ])('%s is refused', async (_, values, condition, isIn) => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, values)
    const hag = isIn ? await inside(server, HAG, 'thirdwitch') : await server.client(HAG)
    await crone.received()

    await says(hag, 'hail')

    expect(await hears(hag)).toEqual([`error ${condition}`])
    expect(await hears(crone)).toEqual([])
  })

  test('to a room that is not there finds nobody (§17.2)', async () => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')

    await says(crone, 'hail')

    expect(await hears(crone)).toEqual(['error item-not-found'])
  })

  test('from the owner of a room that is not configured yet accepts the defaults, and lets others in', async () => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')
    await enters(crone, 'firstwitch')
    await crone.received()

    await Promise.all(['hail', 'all hail'].map(text => says(crone, text)))
    const heard = await hears(crone)
    const hag = await server.client(HAG)
    await enters(hag, 'thirdwitch')

    expect(heard.filter(line => line.includes('hail'))).toHaveLength(2)
    expect(heard.filter(line => line.startsWith('error'))).toEqual([])
    expect((await hears(hag)).filter(line => line.startsWith('error'))).toEqual([])
  })

  test('from an owner who is not in a room that is not configured yet is refused, and the room stays so', async () => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')
    await enters(crone, 'firstwitch')
    const other = await server.client('crone1@localhost/pda')

    await says(other, 'hail')
    const hag = await server.client(HAG)
    await enters(hag, 'thirdwitch')

    expect(await hears(other)).toEqual(['error not-acceptable'])
    expect(await hears(hag)).toEqual(['error item-not-found'])
  })

  test('comes no more often than the configuration allows', async () => {
    const server = await worldWith({ occupantMessages: 1, roomMessages: 2 })
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    for (let n = 0; n < 7; n++) await says(hag, `${n}`)
    const fromOne = (await hears(hag)).filter(line => line.startsWith('error'))
    for (let n = 0; n < 7; n++) await says(crone, `${n}`)
    const fromAll = (await hears(crone)).filter(line => line.startsWith('error'))

    expect(fromOne).toEqual(Array(2).fill('error resource-constraint'))
    expect(fromAll.length).toBeGreaterThanOrEqual(2)
  })
})

describe('extensions', () => {
  test('guard, change, keep and see what is said, in that order, and what an occupant shows', async () => {
    const seen: string[] = []
    const familiar = extension({
      name: 'familiar',
      xeps: [],
      setup (host) {
        host.on('room', 'guard', message => message.id === 'no' ? new StanzaError('policy-violation') : undefined)
        host.on(
          'room',
          'rewrite',
          (message, room, sender) =>
            message.withWritten('cat', 'urn:x', `<cat xmlns='urn:x' of='${sender.nick}' in='${room.jid.local}'/>`),
        )
        host.on('room', 'store', message => {
          seen.push(`kept ${message.from} ${message.has('cat', 'urn:x')}`)
          return { number: '7', committed: Promise.resolve() }
        })
        host.on('room', 'fanout', message => { seen.push(`seen ${message.has('stanza-id', 'urn:xmpp:sid:0')}`) })
        host.on('room', 'present', presence => presence.withWritten('owl', 'urn:x', "<owl xmlns='urn:x'/>"))
      },
    })
    const server = await world(familiar)
    const crone = await owner(server)

    await crone.sends(`<message to='${COVEN}' type='groupchat' id='no'><body>x</body></message>`)
    await crone.sends(`<message to='${COVEN}' type='groupchat' id='yes'><body>x</body></message>`)

    expect(await crone.received()).toEqual([
      expect.stringContaining('policy-violation'),
      `<message from='${COVEN}/firstwitch' to='crone1@localhost/desktop' id='yes' type='groupchat'><body>x</body>` +
      `<cat xmlns='urn:x' of='firstwitch' in='coven'/><stanza-id xmlns='urn:xmpp:sid:0' by='${COVEN}' id='${(await server.core.rooms.room(Jid.parse(COVEN)))?.archiveIds.encode(7)}'/></message>`,
    ])
    expect(seen).toEqual([`kept ${COVEN}/firstwitch true`, 'seen true'])
    const hag = await server.client(HAG)
    await enters(hag, 'thirdwitch')
    expect((await hag.received()).slice(0, 2)).toEqual([
      expect.stringContaining('<owl'),
      expect.stringContaining('<owl'),
    ])
  })

  test('hold up what is said, and who comes or goes, until it is kept', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const slow = extension({
      name: 'slow', xeps: [], setup (host) { host.on('room', 'store', () => ({ number: '1', committed: promise })) },
    })
    const server = await world(slow)
    const crone = await owner(server)
    const hag = await server.client(HAG)

    const said = says(crone, 'hail')
    const came = enters(hag, 'thirdwitch')
    expect(await hears(crone)).toEqual([])
    resolve()
    await Promise.all([said, came])

    expect(await hears(crone)).toEqual(['firstwitch: hail', 'thirdwitch none/participant hag66@localhost/pda'])
    expect((await hears(hag)).slice(-2)).toEqual(['firstwitch: hail (before)', `subject "" by ${COVEN}`])
  })
})

describe('history (§7.2.13)', () => {
  test.each([
    ["<history maxstanzas='1'/>", ['firstwitch: three (before)']],
    ["<history maxchars='0'/>", []],
    ["<history seconds='60'/>", ['firstwitch: two (before)', 'firstwitch: three (before)']],
    ["<history since='2100-01-01T00:00:00Z'/>", []],
    ['', ['firstwitch: two (before)', 'firstwitch: three (before)']],
  ])('asked for as %j', async (asked, expected) => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { 'muc#maxhistoryfetch': '2' })
    for (const body of ['one', 'two', 'three']) await says(crone, body)
    const hag = await server.client(HAG)

    await enters(hag, 'thirdwitch', asked)

    expect((await hears(hag)).filter(line => line.endsWith('(before)'))).toEqual(expected)
  })

  test.each([['', 1], ["<history maxstanzas='2'/>", 2], ["<history seconds='60'/>", 3]])(
    'asked for as %j, where one is shown by default',
    async (asked, count) => {
      const server = await world()
      const crone = await owner(server, undefined, undefined, { 'muc#maxhistoryfetch': '3', defaulthistorymessages: '1' })
      for (const body of ['one', 'two', 'three', 'four']) await says(crone, body)
      const hag = await server.client(HAG)

      await enters(hag, 'thirdwitch', asked)

      expect((await hears(hag)).filter(line => line.endsWith('(before)'))).toHaveLength(count)
    })
})
