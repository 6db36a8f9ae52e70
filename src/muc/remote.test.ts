/** Rooms with occupants, members and guests of other servers. */
import { beforeEach, describe, expect, test } from 'vitest'
import { archive } from '../../extensions/archive/index.ts'
import { occupantId } from '../../extensions/occupant-id/index.ts'
import { RemoteServer } from '../../test/support/world/remote.ts'
import { changes, configures, COVEN, hears, owner, says } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'

const HECATE = 'hecate@heath.example'
const NS_MUC = 'http://jabber.org/protocol/muc'
const ADDRESSES = `from='${HECATE}/broom' to='${COVEN}'`

let server: World
let heath: RemoteServer
let crone: Client

beforeEach(async () => {
  server = await world(archive, occupantId)
  heath = new RemoteServer(server, 'heath.example')
  crone = await owner(server, undefined, undefined, { persistentroom: '1' })
})

/** Enters from the other server; nobody has anything left to read. */
async function enters (): Promise<void> {
  await asks()
  await heath.received()
  await crone.received()
}

async function asks (room = COVEN): Promise<void> {
  await heath.sends(`<presence from='${HECATE}/broom' to='${room}/hecate'><x xmlns='${NS_MUC}'/></presence>`)
}

/** An error that the other server sends. */
async function fails (to: string, condition: string, type: string, id = 'm1', from = `${HECATE}/broom`): Promise<void> {
  await heath.sends(`<message from='${from}' to='${to}' type='error' id='${id}'><error type='${type}'>`
    + `<${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`)
}

describe('an occupant of another server', () => {
  test('enters as others do', async () => {
    await says(crone, 'hail')
    await crone.received()

    await asks()

    expect(await hears(heath)).toEqual([
      'firstwitch owner/moderator', 'hecate none/participant 110', 'firstwitch: hail (before)', 'subject "" by ' + COVEN,
    ])
    expect(await hears(crone)).toEqual([`hecate none/participant ${HECATE}/broom`])
  })

  test('speaks and is spoken to, and leaves', async () => {
    await enters()

    await heath.sends(`<message ${ADDRESSES} type='groupchat'><body>how now</body></message>`)
    await says(crone, 'hail')
    await heath.sends(`<presence from='${HECATE}/broom' to='${COVEN}/hecate' type='unavailable'/>`)

    expect(await hears(crone)).toEqual([
      'hecate: how now', 'firstwitch: hail', `gone hecate none/none ${HECATE}/broom`,
    ])
    expect(await hears(heath)).toEqual(['hecate: how now', 'firstwitch: hail', 'gone hecate none/none 110'])
  })

  test('is heard once, however often its server sends a message', async () => {
    await enters()
    const message = `<message ${ADDRESSES} type='groupchat' id='m1'><body>how now</body>`
      + "<origin-id xmlns='urn:xmpp:sid:0' id='m1'/></message>"

    await heath.sends(message)
    await heath.sends(message)

    expect(await hears(crone)).toEqual(['hecate: how now'])
  })

  test('does not make rooms where local accounts may', async () => {
    await asks('heath@conference.localhost')

    expect(await hears(heath)).toEqual(['error not-allowed'])
  })
})

describe('an occupant that its server reports gone leaves', () => {
  test.each([
    ['a session that ended', 'service-unavailable', 'cancel'],
    ['a session that is not there now', 'recipient-unavailable', 'wait'],
    ['an account that is not there', 'item-not-found', 'cancel'],
  ])('%s, when a message to all comes back', async (_, condition, type) => {
    await enters()
    await crone.sends(`<message to='${COVEN}' type='groupchat' id='m1'><body>hail</body></message>`)

    await fails(`${COVEN}/firstwitch`, condition, type)

    expect(await hears(crone)).toEqual(['firstwitch: hail', `gone hecate none/none ${HECATE}/broom 333`])
  })

  test('when a private message comes back, of which its sender hears', async () => {
    await enters()
    await crone.sends(`<message to='${COVEN}/hecate' type='chat' id='m1'><body>psst</body></message>`)

    await fails(`${COVEN}/firstwitch`, 'service-unavailable', 'cancel')

    expect(await hears(crone)).toEqual(['error service-unavailable', `gone hecate none/none ${HECATE}/broom 333`])
  })

  test('when its whole server was given up', async () => {
    await enters()

    await fails(COVEN, 'remote-server-timeout', 'wait')

    expect(await hears(crone)).toEqual([`gone hecate none/none ${HECATE}/broom 333`])
  })
})

test('an occupant stays when its server is busy, or another session of its account is gone', async () => {
  await enters()

  await fails(COVEN, 'resource-constraint', 'wait')
  await fails(`${COVEN}/firstwitch`, 'service-unavailable', 'wait')
  await fails(`${COVEN}/firstwitch`, 'service-unavailable', 'cancel', 'm2', `${HECATE}/cauldron`)

  expect((await hears(crone)).filter(line => line.startsWith('gone'))).toEqual([])
})

describe('a person of another server', () => {
  test('is invited, made a member by that, and may decline', async () => {
    await configures(crone, { persistentroom: '1', membersonly: '1' })
    await crone.received()
    await crone.sends(`<message to='${COVEN}'><x xmlns='${NS_MUC}#user'><invite to='${HECATE}'/></x></message>`)
    const [invitation] = await heath.received()
    await heath.sends(`<message from='${HECATE}/broom' to='${COVEN}'><x xmlns='${NS_MUC}#user'>`
      + "<decline to='crone1@localhost'/></x></message>")

    expect(invitation).toMatch(new RegExp(`^<message from='${COVEN}' to='${HECATE}'.*<invite from='crone1@localhost`))
    expect((await crone.received()).join()).toContain(`<decline from='${HECATE}`)
    await asks()
    expect((await hears(heath))[1]).toMatch(/^hecate member\/participant/)
  })

  test.each(['member', 'admin', 'owner'])('becomes a room\'s %s', async affiliation => {
    await changes(crone, [{ jid: HECATE, affiliation }])
    await heath.received()

    await asks()

    expect((await hears(heath)).find(line => line.startsWith('hecate'))).toMatch(new RegExp(`^hecate ${affiliation}/`))
  })

  test('is banned with all of its server', async () => {
    await enters()

    await changes(crone, [{ jid: 'heath.example', affiliation: 'outcast' }])
    const heard = await hears(heath)
    await asks()

    expect(heard).toEqual([expect.stringMatching(/^gone hecate .*301/)])
    expect(await hears(heath)).toEqual(['error forbidden'])
  })

  test.each([['member', 1], ['none', 0]])('reads the archive of a members-only room as %s', async (affiliation, found) => {
    await says(crone, 'hail')
    await configures(crone, { persistentroom: '1', membersonly: '1' })
    if (affiliation !== 'none') await changes(crone, [{ jid: HECATE, affiliation }])
    await heath.received()

    await heath.sends(`<iq ${ADDRESSES} type='set' id='q1'><query xmlns='urn:xmpp:mam:2'/></iq>`)

    const heard = await heath.received()
    expect(heard.filter(xml => xml.includes('<body>hail</body>'))).toHaveLength(found)
    expect(heard.at(-1)).toMatch(found > 0 ? /^<iq [^>]*type='result'/ : /^<iq [^>]*type='error'.*<forbidden/)
  })
})
