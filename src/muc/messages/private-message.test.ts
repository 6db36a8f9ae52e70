/** XEP-0045 §7.5: what is said to one. */
import { describe, expect, test } from 'vitest'
import { blocking } from '../../../extensions/blocking/index.ts'
import { changes, COVEN, hears, inside, owner } from '../../../test/support/world/rooms.ts'
import { world } from '../../../test/support/world/world.ts'

const HAG = 'hag66@localhost/pda'

describe('a private message (§7.5)', () => {
  test('goes from nick to nick, to all devices, marked as what it is', async () => {
    const server = await world()
    const crone = await owner(server)
    const pda = await inside(server, HAG, 'thirdwitch')
    const desk = await inside(server, 'hag66@localhost/desk', 'thirdwitch')
    await pda.received()

    await crone.sends(
      `<message to='${COVEN}/thirdwitch' type='chat' id='p1'><body>I'll give thee a wind.</body></message>`,
    )

    const [got, ...more] = await pda.received()
    expect(got).toBe(
      `<message from='${COVEN}/firstwitch' to='${HAG}' id='p1' type='chat'><body>I'll give thee a wind.</body>` +
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

  test('from a visitor reaches a moderator where others are not for visitors to write to', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { allowpm: 'participants', moderatedroom: '1' })
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await hag.sends(`<message to='${COVEN}/firstwitch' type='chat'><body>may I speak?</body></message>`)

    expect(await hears(crone)).toEqual(['privately thirdwitch: may I speak?'])
  })

  test('for somebody who has blocked its sender goes back to the sender, and nobody leaves for that', async () => {
    const server = await world(blocking)
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await hag.asks('set', `<block xmlns='urn:xmpp:blocking'><item jid='${COVEN}/firstwitch'/></block>`)
    await crone.received()
    await hag.received()

    await crone.sends(`<message to='${COVEN}/thirdwitch' type='chat' id='p1'><body>psst</body></message>`)

    const [error = '', ...rest] = await crone.received()
    expect(error).toMatch(
      new RegExp(`^<message from='${COVEN}/thirdwitch' to='crone1@localhost/desktop' id='p1' type='error'`),
    )
    expect(rest).toEqual([])
    await crone.sends(`<message to='${COVEN}' type='groupchat'><body>still here?</body></message>`)
    expect(await hears(crone)).toEqual(['firstwitch: still here?'])
  })

  test('that can\'t be delivered brings its error back under the nick', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await hag.sends(`<message to='${COVEN}/firstwitch' type='error' id='p1'><error type='cancel'>` +
      "<not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>")

    expect((await crone.received())[0]).toContain(
      `from='${COVEN}/thirdwitch' to='crone1@localhost/desktop' id='p1' type='error'`,
    )
  })
})

test('who is blocked by his own address does not reach the one who blocked him by a room (XEP-0191 §3.3)', async () => {
  const server = await world(blocking)
  const crone = await owner(server)
  const hag = await inside(server, 'hag66@localhost/pda', 'thirdwitch')
  await crone.asks('set', "<block xmlns='urn:xmpp:blocking'><item jid='hag66@localhost'/></block>")
  await crone.received()
  await hag.received()

  await hag.sends(`<message to='${COVEN}/firstwitch' type='chat'><body>psst</body></message>`)
  await hag.sends(`<iq to='${COVEN}/firstwitch' type='get' id='1'><query xmlns='jabber:iq:version'/></iq>`)

  expect(await hears(hag)).toEqual(['error service-unavailable', 'error service-unavailable'])
  expect((await crone.received()).join('')).not.toMatch(/psst|version/)
})
