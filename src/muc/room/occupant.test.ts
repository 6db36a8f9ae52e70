/**
 * XEP-0045 §7.6 to §7.8, §7.13 and §17.4: what occupants do besides talking: names, presence, requests, invitations,
 * voice.
 */
import { describe, expect, test } from 'vitest'
import { changes, configures, COVEN, enters, hears, inside, leaves, owner } from '../../../test/support/world/rooms.ts'
import type { Client } from '../../../test/support/world/world.ts'
import { world } from '../../../test/support/world/world.ts'

const HAG = 'hag66@localhost/pda'
const WICCA = 'wiccarocks@localhost/laptop'
const USER = "xmlns='http://jabber.org/protocol/muc#user'"

async function isCalled (client: Client, nick: string): Promise<void> {
  await client.sends(`<presence to='${COVEN}/${nick}'/>`)
}

describe('a new nick (§7.6)', () => {
  test('takes the place of the old one for everybody', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await isCalled(hag, 'oldhag')

    expect(await hears(hag)).toEqual([
      'gone thirdwitch none/participant as oldhag 110 303',
      'oldhag none/participant 110',
    ])
    expect(await hears(crone)).toEqual([
      'gone thirdwitch none/participant hag66@localhost/pda as oldhag 303',
      'oldhag none/participant hag66@localhost/pda',
    ])
  })

  test('leaves the old one to others, and is no more to be had', async () => {
    const server = await world()
    await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    const wicca = await server.client(WICCA)

    await isCalled(hag, 'oldhag')
    await enters(wicca, 'oldhag')
    await enters(wicca, 'thirdwitch')

    expect((await hears(wicca)).filter(line => /^error|110/.test(line))).toEqual([
      'error conflict',
      'thirdwitch none/participant 110',
    ])
  })

  test('is one for all devices that share it', async () => {
    const server = await world()
    await owner(server)
    const pda = await inside(server, HAG, 'thirdwitch')
    const desk = await inside(server, 'hag66@localhost/desk', 'thirdwitch')
    await pda.received()

    await isCalled(desk, 'oldhag')

    expect(await hears(pda)).toEqual([
      'gone thirdwitch none/participant as oldhag 110 303',
      'oldhag none/participant 110',
    ])
  })

  test('that is taken, or somebody else\'s, is refused', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await changes(crone, [{ jid: 'wiccarocks@localhost', affiliation: 'member', nick: 'secondwitch' }])
    await crone.received()

    for (const nick of ['firstwitch', 'secondwitch']) await isCalled(hag, nick)

    expect(await hears(hag)).toEqual(Array(2).fill('error conflict'))
    expect(await hears(crone)).toEqual([])
  })

  test('is not for visitors where they may not have one', async () => {
    const server = await world()
    await owner(server, undefined, undefined, { moderatedroom: '1', allowvisitornickchange: '0' })
    const hag = await inside(server, HAG, 'thirdwitch')

    await isCalled(hag, 'oldhag')

    expect(await hears(hag)).toEqual(['error not-allowed'])
  })
})

describe('presence (§7.7)', () => {
  test('is shown to all', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await hag.sends(
      `<presence to='${COVEN}/thirdwitch'><show>xa</show><status>gone where the goblins go</status></presence>`,
    )

    expect((await crone.received())[0]).toContain('<show>xa</show><status>gone where the goblins go</status>')
    expect(await hears(hag)).toEqual(['thirdwitch none/participant 110'])
  })

  test('of a visitor stays as it is where visitors may not change it', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { moderatedroom: '1', allowvisitorstatus: '0' })
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await hag.sends(`<presence to='${COVEN}/thirdwitch'><status>buy my brooms</status></presence>`)

    expect(await hears(crone)).toEqual([])
  })

  test('is that of the device with the highest priority', async () => {
    const server = await world()
    const crone = await owner(server)
    const pda = await inside(server, HAG, 'thirdwitch')
    const desk = await inside(server, 'hag66@localhost/desk', 'thirdwitch')
    await crone.received()

    await pda.sends(`<presence to='${COVEN}/thirdwitch'><priority>-1</priority></presence>`)
    expect(await hears(crone)).toEqual(['thirdwitch none/participant hag66@localhost/desk'])
    await pda.sends(`<presence to='${COVEN}/thirdwitch'><show>away</show><priority>-1</priority></presence>`)
    expect(await hears(crone)).toEqual([])
    await desk.sends(`<presence to='${COVEN}/thirdwitch'><show>dnd</show></presence>`)
    expect((await crone.received())[0]).toContain('<show>dnd</show>')
  })
})

describe('a request to an occupant (§17.4)', () => {
  test('reaches a device under the nick, and its answer comes back', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    const answered = crone.asks('get', "<query xmlns='jabber:iq:version'/>", `${COVEN}/thirdwitch`)
    const [request = ''] = await hag.received()
    expect(request).toContain(`from='${COVEN}/firstwitch' to='${HAG}'`)
    expect(request).not.toContain('crone1')
    const id = /id='([^']+)'/.exec(request)?.[1]
    await hag.sends(
      `<iq type='result' id='${id}' to='${COVEN}/firstwitch'><query xmlns='jabber:iq:version'><name>Broom</name></query></iq>`,
    )

    expect((await answered)?.getChildText('name')).toBe('Broom')
  })

  test('is answered to the device that asked, and not by the room, though it is a ping', async () => {
    const server = await world()
    await owner(server)
    await inside(server, HAG, 'thirdwitch')
    const desk = await inside(server, 'hag66@localhost/desk', 'thirdwitch')
    const wicca = await inside(server, WICCA, 'secondwitch')

    const answered = desk.asks('get', "<ping xmlns='urn:xmpp:ping'/>", `${COVEN}/secondwitch`)
    const id = /id='([^']+)'/.exec((await wicca.received()).join())?.[1]
    await wicca.sends(`<iq type='result' id='${id}' to='${COVEN}/thirdwitch'/>`)

    await expect(answered).resolves.toBeUndefined()
  })

  test('for what an account answers is answered by the account', async () => {
    const { vcard } = await import('../../../extensions/vcard/index.ts')
    const server = await world(vcard)
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await hag.asks('set', "<vCard xmlns='vcard-temp'><FN>The Third Witch</FN></vCard>")

    const card = await crone.asks('get', "<vCard xmlns='vcard-temp'/>", `${COVEN}/thirdwitch`)

    expect(card?.getChildText('FN')).toBe('The Third Witch')
  })

  test('from outside is refused (§6.6)', async () => {
    const server = await world()
    await owner(server)
    const hag = await server.client(HAG)

    await expect(hag.asks('get', "<query xmlns='jabber:iq:version'/>", `${COVEN}/firstwitch`)).rejects.toThrow(
      'not-acceptable',
    )
    await expect(hag.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", `${COVEN}/firstwitch`))
      .rejects.toThrow('bad-request')
  })

  test('who is not there finds nobody', async () => {
    const server = await world()
    const crone = await owner(server)

    await expect(crone.asks('get', "<query xmlns='jabber:iq:version'/>", `${COVEN}/nobody`)).rejects.toThrow(
      'item-not-found',
    )
  })
})

describe('a ping to oneself (XEP-0410)', () => {
  test('is answered by the room, also when the device that is asked is not the one that asks', async () => {
    const server = await world()
    await owner(server)
    await inside(server, HAG, 'thirdwitch')
    const desk = await inside(server, 'hag66@localhost/desk', 'thirdwitch')

    await expect(desk.asks('get', "<ping xmlns='urn:xmpp:ping'/>", `${COVEN}/thirdwitch`)).resolves.toBeUndefined()
  })

  test.each([COVEN, 'nowhere@conference.localhost'])('says that one is not in %s', async room => {
    const server = await world()
    await owner(server)
    const hag = await server.client(HAG)

    await expect(hag.asks('get', "<ping xmlns='urn:xmpp:ping'/>", `${room}/thirdwitch`)).rejects.toThrow(
      'not-acceptable',
    )
  })
})

describe('an invitation (§7.8.2)', () => {
  test('goes through the room, with its password', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { passwordprotectedroom: '1', roomsecret: 'cauldronburn' })
    const hecate = await server.client('hecate@localhost/broom')
    await hecate.comesOnline()
    await hecate.received()

    await crone.sends(
      `<message to='${COVEN}'><x ${USER}><invite to='hecate@localhost'><reason>Hey Hecate</reason></invite></x></message>`,
    )

    const [got = ''] = await hecate.received()
    expect(got).toContain(`from='${COVEN}'`)
    expect(got).toMatch(
      /<invite [^>]*from='crone1@localhost'><reason[^>]*>Hey Hecate<\/reason><\/invite><password[^>]*>cauldronburn</,
    )
  })

  test('that is declined is known to who invited', async () => {
    const server = await world()
    const crone = await owner(server)
    const hecate = await server.client('hecate@localhost/broom')
    await crone.sends(`<message to='${COVEN}'><x ${USER}><invite to='hecate@localhost'/></x></message>`)

    await hecate.sends(
      `<message to='${COVEN}'><x ${USER}><decline to='crone1@localhost'><reason>Sorry</reason></decline></x></message>`,
    )

    expect((await crone.received())[0]).toMatch(/<decline [^>]*from='hecate@localhost'><reason[^>]*>Sorry</)
  })

  test('and its refusal have a reason of 4096 bytes at most', async () => {
    const server = await world()
    const crone = await owner(server)
    const hecate = await server.client('hecate@localhost/broom')
    await hecate.comesOnline()
    await hecate.received()
    const reason = `<reason>${'r'.repeat(5_000)}</reason>`

    await crone.sends(
      `<message to='${COVEN}'><x ${USER}><invite to='hecate@localhost'>${reason}</invite></x></message>`,
    )
    const refused = [await hears(crone), await hecate.received()]
    await crone.sends(`<message to='${COVEN}'><x ${USER}><invite to='hecate@localhost'/></x></message>`)
    await hecate.received()
    await hecate.sends(
      `<message to='${COVEN}'><x ${USER}><decline to='crone1@localhost'>${reason}</decline></x></message>`,
    )

    expect(refused).toEqual([['error policy-violation'], []])
    expect(await hears(hecate)).toEqual(['error policy-violation'])
    expect(await crone.received()).toEqual([])
  })

  test('that nobody sent is not declined', async () => {
    const server = await world()
    await owner(server)
    const hecate = await server.client('hecate@localhost/broom')

    await hecate.sends(`<message to='${COVEN}'><x ${USER}><decline to='stranger@localhost'/></x></message>`)

    expect(await hears(hecate)).toEqual(['error item-not-found'])
  })

  test('to a room for members makes a member where that is allowed (§9.5), past the room (XEP-0249) it makes none', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { membersonly: '1' })
    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'member' }])
    const hag = await inside(server, HAG, 'thirdwitch')
    const wicca = await server.client(WICCA)
    await wicca.comesOnline()
    const invite = `<message to='${COVEN}'><x ${USER}><invite to='wiccarocks@localhost'/></x></message>`

    await crone.sends(`<message to='wiccarocks@localhost'><x xmlns='jabber:x:conference' jid='${COVEN}'/></message>`)
    await hag.sends(invite)
    expect(await hears(hag)).toEqual(['error forbidden'])
    await wicca.received()
    await enters(wicca, 'secondwitch')
    expect(await hears(wicca)).toContain('error registration-required')

    await configures(crone, { allowinvites: '1' })
    await hag.sends(invite)
    await wicca.received()
    await enters(wicca, 'secondwitch')
    expect(await hears(wicca)).toContain('secondwitch member/participant 110')
  })

  test('to an open room makes no member (§9.5)', async () => {
    const server = await world()
    const crone = await owner(server)
    const wicca = await server.client(WICCA)

    await crone.sends(`<message to='${COVEN}'><x ${USER}><invite to='wiccarocks@localhost'/></x></message>`)
    await crone.sends(`<message to='wiccarocks@localhost'><x xmlns='jabber:x:conference' jid='${COVEN}'/></message>`)
    await enters(wicca, 'secondwitch')

    expect(await hears(wicca)).toContain('secondwitch none/participant 110')
  })

  test('of somebody who is not there is refused, and so are all of the same message', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { membersonly: '1' })
    const wicca = await server.client(WICCA)
    await wicca.comesOnline()
    await wicca.received()

    for (const nobody of ['nobody@localhost', 'localhost']) {
      await crone.sends(
        `<message to='${COVEN}'><x ${USER}><invite to='wiccarocks@localhost'/><invite to='${nobody}'/></x></message>`,
      )
    }

    expect(await hears(crone)).toEqual(['error item-not-found', 'error item-not-found'])
    expect(await wicca.received()).toEqual([])
    const members = await crone.asks(
      'get',
      "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='member'/></query>",
      COVEN,
    )
    expect(members?.children).toEqual([])
  })

  test('may be of a guest', async () => {
    const server = await world()
    const crone = await owner(server)
    const guest = await server.guest('guest@localhost/booth')
    await guest.comesOnline()
    await guest.received()

    await crone.sends(`<message to='${COVEN}'><x ${USER}><invite to='guest@localhost'/></x></message>`)

    expect((await guest.received())[0]).toContain('<invite')
  })

  test('of very many is refused, at once or one after the other', async () => {
    const server = await world()
    const crone = await owner(server)
    await server.client(WICCA)
    const invites = (count: number): string =>
      `<message to='${COVEN}'><x ${USER}>${"<invite to='wiccarocks@localhost'/>".repeat(count)}</x></message>`

    await crone.sends(invites(51))
    expect(await hears(crone)).toEqual(['error policy-violation'])

    for (let n = 0; n < 5; n++) await crone.sends(invites(50))
    expect(await hears(crone)).toContain('error resource-constraint')
  })

  test('from outside is refused', async () => {
    const server = await world()
    await owner(server)
    const hag = await server.client(HAG)

    await hag.sends(`<message to='${COVEN}'><x ${USER}><invite to='wiccarocks@localhost'/></x></message>`)

    expect(await hears(hag)).toEqual(['error not-acceptable'])
  })
})

describe('voice (§7.13 and §8.6)', () => {
  const REQUEST = `<message to='${COVEN}'><x xmlns='jabber:x:data' type='submit'>` +
    "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field>" +
    "<field var='muc#role'><value>participant</value></field></x></message>"

  test('is asked for, and granted by a moderator', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { moderatedroom: '1' })
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await hag.sends(REQUEST)
    const [form = ''] = await crone.received()
    expect(form).toContain('<value>hag66@localhost/pda</value>')
    await hag.sends(REQUEST)
    expect(await hears(hag)).toEqual(['error resource-constraint'])
    const answer = form.slice(form.indexOf('<x '), form.indexOf('</message>')).replace("type='form'", "type='submit'")
    await crone.sends(`<message to='${COVEN}'>${answer}</message>`)
    expect(await hears(hag)).toEqual([])
    await crone.sends(`<message to='${COVEN}'>${answer.replace('>0<', '>true<')}</message>`)

    expect(await hears(hag)).toEqual(['thirdwitch none/participant 110 by firstwitch'])
  })

  test('is asked for once in a while, also by who leaves and comes again', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { moderatedroom: '1' })
    const hag = await inside(server, HAG, 'thirdwitch')
    await hag.sends(REQUEST)
    await leaves(hag, 'thirdwitch')
    await enters(hag, 'thirdwitch')
    await hag.received()
    await crone.received()

    await hag.sends(REQUEST)

    expect(await hears(hag)).toEqual(['error resource-constraint'])
    expect(await crone.received()).toEqual([])
  })

  test('is not for visitors to grant, nor to ask for where it is not given', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { moderatedroom: '1', allowvoicerequests: '0' })
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await hag.sends(REQUEST)
    await hag.sends(
      REQUEST.replace(
        '</x>',
        "<field var='muc#roomnick'><value>thirdwitch</value></field><field var='muc#request_allow'><value>1</value></field></x>",
      ),
    )

    expect(await hears(hag)).toEqual(Array(2).fill('error forbidden'))
    expect(await hears(crone)).toEqual([])
  })
})
