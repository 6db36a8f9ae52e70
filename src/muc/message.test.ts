/** XEP-0045 §7.4, §7.5 and §8.1: what is said to all, to one, and about what. */
import { describe, expect, test } from 'vitest'
import { extension, StanzaError } from '../extension/api.ts'
import { changes, configures, COVEN, enters, hears, inside, leaves, owner, says } from '../testing/rooms.ts'
import { world, worldWith } from '../testing/world.ts'

const HAG = 'hag66@localhost/pda'

describe('a message to all (§7.4)', () => {
  test('reaches everybody, its sender too, from the sender\'s nick, with its id', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await hag.sends(`<message to='${COVEN}' type='groupchat' id='hysf1v37' xml:lang='en'><body>Harpier cries</body><x xmlns='urn:example:other'/></message>`)

    const sent = (to: string): string =>
      `<message from='${COVEN}/thirdwitch' to='${to}' id='hysf1v37' type='groupchat' xml:lang='en'><body>Harpier cries</body><x xmlns='urn:example:other'/></message>`
    expect(await crone.received()).toEqual([sent('crone1@localhost/desktop')])
    expect(await hag.received()).toEqual([sent(HAG)])
  })

  test('carries nothing that only the room says', async () => {
    const server = await world()
    const crone = await owner(server)

    await crone.sends(`<message to='${COVEN}' type='groupchat'><x xmlns='http://jabber.org/protocol/muc#user'><status code='172'/></x>` +
      `<body>hail</body><stanza-id xmlns='urn:xmpp:sid:0' by='${COVEN}' id='forged'/><stanza-id xmlns='urn:xmpp:sid:0' by='x' id='1'/></message>`)

    expect((await crone.received())[0]).toMatch(/'><body>hail<\/body><stanza-id xmlns='urn:xmpp:sid:0' by='x' id='1'\/><\/message>$/)
  })

  test('arrives in the order in which it was sent, whoever else writes', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await Promise.all([1, 2, 3].flatMap(n => [says(crone, `crone ${n}`), says(hag, `hag ${n}`)]))

    const heard = await hears(crone)
    expect(heard).toHaveLength(6)
    expect(heard.filter(line => line.includes('hag'))).toEqual(['thirdwitch: hag 1', 'thirdwitch: hag 2', 'thirdwitch: hag 3'])
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

  test('to a room that is not there, or not there yet, finds nobody (§17.2)', async () => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')

    await says(crone, 'hail')
    await enters(crone, 'firstwitch')
    await says(crone, 'hail')

    expect((await hears(crone)).filter(line => line.startsWith('error'))).toEqual(Array(2).fill('error item-not-found'))
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
        host.on('room', 'rewrite', (message, room, sender) => message.withWritten('cat', 'urn:x', `<cat xmlns='urn:x' of='${sender.nick}' in='${room.jid.local}'/>`))
        host.on('room', 'store', message => {
          seen.push(`kept ${message.from} ${message.has('cat', 'urn:x')}`)
          return { id: '7', committed: Promise.resolve() }
        })
        host.on('room', 'fanout', message => { seen.push(`seen ${message.has('stanza-id', 'urn:xmpp:sid:0')}`) })
        host.on('room', 'finish', message => message.withoutPayload(({ name }) => name === 'secret'))
        host.on('room', 'present', presence => presence.withWritten('owl', 'urn:x', "<owl xmlns='urn:x'/>"))
      },
    })
    const server = await world(familiar)
    const crone = await owner(server)

    await crone.sends(`<message to='${COVEN}' type='groupchat' id='no'><body>x</body></message>`)
    await crone.sends(`<message to='${COVEN}' type='groupchat' id='yes'><body>x</body><secret xmlns='urn:x'/></message>`)

    expect(await crone.received()).toEqual([
      expect.stringContaining('policy-violation'),
      `<message from='${COVEN}/firstwitch' to='crone1@localhost/desktop' id='yes' type='groupchat'><body>x</body>` +
      `<cat xmlns='urn:x' of='firstwitch' in='coven'/><stanza-id xmlns='urn:xmpp:sid:0' by='${COVEN}' id='7'/></message>`,
    ])
    expect(seen).toEqual([`kept ${COVEN}/firstwitch true`, 'seen true'])
    const hag = await server.client(HAG)
    await enters(hag, 'thirdwitch')
    expect((await hag.received()).slice(0, 2)).toEqual([expect.stringContaining('<owl'), expect.stringContaining('<owl')])
  })

  test('hold up what is said, and who comes or goes, until it is kept', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const slow = extension({
      name: 'slow', xeps: [], setup (host) { host.on('room', 'store', () => ({ id: '1', committed: promise })) },
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

describe('a private message (§7.5)', () => {
  test('goes from nick to nick, to all devices, marked as what it is', async () => {
    const server = await world()
    const crone = await owner(server)
    const pda = await inside(server, HAG, 'thirdwitch')
    const desk = await inside(server, 'hag66@localhost/desk', 'thirdwitch')
    await pda.received()

    await crone.sends(`<message to='${COVEN}/thirdwitch' type='chat' id='p1'><body>I'll give thee a wind.</body></message>`)

    const [got, ...more] = await pda.received()
    expect(got).toBe(`<message from='${COVEN}/firstwitch' to='${HAG}' id='p1' type='chat'><body>I'll give thee a wind.</body>` +
      "<x xmlns='http://jabber.org/protocol/muc#user'/></message>")
    expect(more).toEqual([])
    expect(await hears(desk)).toEqual(['privately firstwitch: I\'ll give thee a wind.'])
  })

  test.each([
    ['of type groupchat', 'groupchat', 'thirdwitch', 'bad-request'],
    ['to nobody', 'chat', 'fourthwitch', 'item-not-found'],
  ])('%s is refused', async (_, type, nick, condition) => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await crone.sends(`<message to='${COVEN}/${nick}' type='${type}'><body>x</body></message>`)

    expect(await hears(crone)).toEqual([`error ${condition}`])
    expect(await hears(hag)).toEqual([])
  })

  test('from outside is refused', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await server.client(HAG)

    await hag.sends(`<message to='${COVEN}/firstwitch' type='chat'><body>x</body></message>`)

    expect(await hears(hag)).toEqual(['error not-acceptable'])
    expect(await hears(crone)).toEqual([])
  })

  test.each([
    ['anyone', ['visitor', 'participant', 'moderator']], ['participants', ['participant', 'moderator']],
    ['moderators', ['moderator']], ['none', []],
  ])('where %s may send them is for %j', async (allowpm, roles) => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { allowpm, moderatedroom: '1' })
    const hag = await inside(server, HAG, 'thirdwitch')
    const wicca = await inside(server, 'wiccarocks@localhost/laptop', 'secondwitch')
    const passed: string[] = []

    for (const role of ['visitor', 'participant', 'moderator']) {
      await changes(crone, [{ nick: 'thirdwitch', role }])
      await hears(hag)
      await hag.sends(`<message to='${COVEN}/secondwitch' type='chat'><body>${role}</body></message>`)
      if ((await hears(wicca)).some(line => line.includes('privately'))) passed.push(role)
      else expect(await hears(hag)).toContain('error forbidden')
    }

    expect(passed).toEqual(roles)
  })

  test('that can\'t be delivered brings its error back under the nick', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await hag.sends(`<message to='${COVEN}/firstwitch' type='error' id='p1'><error type='cancel'>` +
      "<not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>")

    expect((await crone.received())[0]).toContain(`from='${COVEN}/thirdwitch' to='crone1@localhost/desktop' id='p1' type='error'`)
  })
})

describe('the subject (§8.1)', () => {
  test('is changed by who moderates, and by others where they may', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()
    const change = `<message to='${COVEN}' type='groupchat'><subject>Toil</subject></message>`

    await hag.sends(change)
    expect(await hears(hag)).toEqual(['error forbidden'])

    await configures(crone, { changesubject: '1' })
    await crone.received()
    await hag.sends(change)
    expect(await hears(crone)).toEqual(['subject "Toil" by thirdwitch'])
  })

  test('is not changed by a message that says something else too', async () => {
    const server = await world()
    const crone = await owner(server)

    await crone.sends(`<message to='${COVEN}' type='groupchat'><subject>Toil</subject><body>and trouble</body></message>`)

    const hag = await server.client(HAG)
    await enters(hag, 'thirdwitch')
    expect((await hears(hag)).at(-1)).toBe(`subject "" by ${COVEN}`)
  })

  test('is kept with a room that is', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
    await crone.sends(`<message to='${COVEN}' type='groupchat'><subject>Toil</subject></message>`)

    const later = await server.restarts()
    const hag = await later.client(HAG)
    await enters(hag, 'thirdwitch')

    expect((await hears(hag)).at(-1)).toBe('subject "Toil" by firstwitch (before)')
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
})

describe('somebody who can\'t be reached', () => {
  test('is taken out when a message comes back (§11.1)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    const error = (condition: string): string => `<message to='${COVEN}' type='error'><error type='cancel'>` +
      `<${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`
    await hag.sends(error('feature-not-implemented'))
    expect(await hears(crone)).toEqual([])
    await hag.sends(error('service-unavailable'))

    expect(await hears(crone)).toEqual(['gone thirdwitch none/none hag66@localhost/pda 333'])
  })

  test('is taken out when its stream is gone (RFC 6121 §4.6.3)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    hag.leaves()

    expect(await hears(crone)).toEqual(['gone thirdwitch none/none hag66@localhost/pda'])
  })
})

describe('who leaves (§7.14)', () => {
  test('says why, and is told', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await hag.sends(`<presence type='unavailable' to='${COVEN}/thirdwitch'><status>gone where the goblins go</status></presence>`)

    expect((await crone.received())[0]).toContain('<status>gone where the goblins go</status>')
    expect(await hears(hag)).toEqual(['gone thirdwitch none/none 110'])
    await says(crone, 'alone')
    expect(await hears(hag)).toEqual([])
  })

  test('last ends a room that is not persistent', async () => {
    const server = await world()
    const crone = await owner(server)

    await leaves(crone, 'firstwitch')
    await crone.received()
    await enters(crone, 'firstwitch')

    expect(await hears(crone)).toContain('firstwitch owner/moderator crone1@localhost/desktop 110 201')
  })

  test('last leaves a persistent room as it is', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { persistentroom: '1', roomname: 'The coven', whois: 'anyone' })
    await leaves(crone, 'firstwitch')
    await crone.received()

    const later = await server.restarts()
    const hag = await later.client(HAG)
    await enters(hag, 'thirdwitch')

    expect((await hears(hag))[0]).toBe('thirdwitch none/participant hag66@localhost/pda 110 100')
  })
})
