/** Members of a group on other servers, and what an account gets of a group on another. */
import { beforeEach, describe, expect, test } from 'vitest'
import { RemoteServer } from '../../test/support/world/remote.ts'
import { changes, COVEN, hears, owner, says } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { archive } from '../archive/index.ts'
import { occupantId } from '../occupant-id/index.ts'
import { membersAway } from './index.ts'

const GROUP = { persistentroom: '1', membersonly: '1' }
const HECATE = 'hecate@heath.example'
const ELSEWHERE = 'coven@conference.heath.example'
const FEATURE = "<feature var='urn:heliograph:group:0'/>"

let server: World
let heath: RemoteServer
let rooms: RemoteServer

beforeEach(async () => {
  server = await world(archive, occupantId, membersAway)
  heath = new RemoteServer(server, 'heath.example')
  rooms = new RemoteServer(server, 'conference.heath.example')
})

describe('a member of another server', () => {
  let crone: Client

  beforeEach(async () => {
    crone = await owner(server, undefined, undefined, GROUP)
    await changes(crone, [{ jid: HECATE, affiliation: 'member' }])
    await comesAndGoes()
  })

  async function comesAndGoes (): Promise<void> {
    await heath.sends(`<presence from='${HECATE}/broom' to='${COVEN}/hecate'>`
      + "<x xmlns='http://jabber.org/protocol/muc'/></presence>")
    await heath.sends(`<presence from='${HECATE}/broom' to='${COVEN}/hecate' type='unavailable'/>`)
    await heath.received()
  }

  /** The other server answers the question for its features. */
  async function answers (features: string): Promise<void> {
    const [question = ''] = (await heath.received()).filter(sent => sent.startsWith('<iq'))
    const [, id = ''] = / id='([^']+)'/.exec(question) ?? []
    await heath.sends(`<iq from='heath.example' to='localhost' type='result' id='${id}'>`
      + `<query xmlns='http://jabber.org/protocol/disco#info'>${features}</query></iq>`)
  }

  test('gets what is said while he is not in, in order, where his server hands it on', async () => {
    await says(crone, 'hail')
    await says(crone, 'hail again')

    await answers(FEATURE)
    await says(crone, 'and again')

    expect(await hears(heath)).toEqual(['firstwitch: hail', 'firstwitch: hail again', 'firstwitch: and again'])
  })

  test('gets nothing where his server would refuse it', async () => {
    await says(crone, 'hail')

    await answers('')
    await says(crone, 'hail again')

    expect(await hears(heath)).toEqual([])
  })

  test('gets no more than there is room for, of what is said until his server has answered', async () => {
    const [large, count] = ['x'.repeat(100_000), 30]
    for (let number = 0; number < count; number++) await says(crone, `${number} ${large}`)

    await answers(FEATURE)
    await says(crone, 'hail')

    const heard = (await hears(heath)).map(said => said.slice(0, 'firstwitch: 00'.length).trim())
    expect(heard.slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, number) => `firstwitch: ${number}`))
    expect(heard.length).toBeLessThan(count)
    expect(heard.at(-1)).toBe('firstwitch: ha')
  })

  test('gets nothing any more when he is a member no longer', async () => {
    await says(crone, 'hail')
    await answers(FEATURE)
    await heath.received()

    await changes(crone, [{ jid: HECATE, affiliation: 'none' }])
    await heath.received()
    await says(crone, 'hail again')

    expect(await hears(heath)).toEqual([])
  })
})

describe('an account whose group is on another server', () => {
  const said = `<message from='${ELSEWHERE}/hecate' to='hag66@localhost' type='groupchat' id='m1'>`
    + '<body>how now</body></message>'

  async function online (resource: string): Promise<Client> {
    const client = await server.client(`hag66@localhost/${resource}`)
    await client.sends('<presence/>')
    return client
  }

  async function enters (client: Client): Promise<void> {
    await client.sends(`<presence to='${ELSEWHERE}/thirdwitch'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
  }

  /** The room says that it has left, and what it still is there. */
  async function leavesAs (client: Client, affiliation: string): Promise<void> {
    await client.sends(`<presence to='${ELSEWHERE}/thirdwitch' type='unavailable'/>`)
    await rooms.sends(`<presence from='${ELSEWHERE}/thirdwitch' to='${client.session.jid}' type='unavailable'>`
      + `<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='${affiliation}' role='none'/>`
      + "<status code='110'/></x></presence>")
    await client.received()
    await rooms.received()
  }

  test('hears it on each device that is not in', async () => {
    const [phone, laptop] = [await online('phone'), await online('laptop')]
    await enters(laptop)
    for (const client of [phone, laptop]) await client.received()

    await rooms.sends(said)

    expect(await hears(phone)).toEqual(['hecate: how now'])
    expect(await hears(laptop)).toEqual([])
  })

  test('hears it again on a device that has left', async () => {
    const laptop = await online('laptop')
    await enters(laptop)
    await leavesAs(laptop, 'member')

    await rooms.sends(said)

    expect(await hears(laptop)).toEqual(['hecate: how now'])
  })

  test('hears it after the server was started again', async () => {
    await enters(await online('laptop'))
    server = await server.restarts()
    rooms = new RemoteServer(server, 'conference.heath.example')
    const phone = await online('phone')
    await phone.received()

    await rooms.sends(said)

    expect(await hears(phone)).toEqual(['hecate: how now'])
  })

  test('hears it once it has asked to be a member, without having been in', async () => {
    const phone = await online('phone')
    await phone.sends(`<iq type='set' id='r1' to='${ELSEWHERE}'><query xmlns='jabber:iq:register'>`
      + "<x xmlns='jabber:x:data' type='submit'/></query></iq>")
    await phone.received()

    await rooms.sends(said)

    expect(await hears(phone)).toEqual(['hecate: how now'])
  })

  /** Nothing arrives, and who has sent it hears so (RFC 6121 §8.5.2.1.1). */
  async function expectRefused (client: Client): Promise<void> {
    await client.received()
    await rooms.received()

    await rooms.sends(said)

    expect(await hears(client)).toEqual([])
    expect(await rooms.received()).toEqual([
      expect.stringMatching(/^<message .*to='coven@conference.heath.example\/hecate'.*type='error'.*<service-unavailable /),
    ])
  }

  test('hears nothing of a room that it has not entered', async () => {
    await expectRefused(await online('phone'))
  })

  test('hears nothing of a room that it has left, and is no member of', async () => {
    const phone = await online('phone')
    await enters(phone)
    await leavesAs(phone, 'none')

    await expectRefused(phone)
  })

  test('hears nothing of a room under an address of somebody who is no room', async () => {
    const phone = await online('phone')
    await phone.sends(`<presence to='${HECATE}/broom'/>`)
    await phone.received()

    await heath.sends(said.replace(`${ELSEWHERE}/hecate`, `${HECATE}/broom`))

    expect(await hears(phone)).toEqual([])
  })
})
