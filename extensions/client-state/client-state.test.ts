/** XEP-0352: what inactive clients are sent, and when. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ack, enables, resume } from '../../test/support/wire/stream-management.ts'
import { online, subscribes } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, Extensions } from '../../test/support/world/world.ts'
import { carbons } from '../carbons/index.ts'
import { chatStates } from '../chat-states/index.ts'
import { streamManagement } from '../stream-management/index.ts'
import { clientState } from './index.ts'

const INACTIVE = "<inactive xmlns='urn:xmpp:csi:0'/>"
const ACTIVE = "<active xmlns='urn:xmpp:csi:0'/>"
const ROMEO = 'romeo@localhost/orchard'

/** Juliet sees the presence of Romeo, and of the nurse. */
async function three (
  ...extensions: Extensions
): Promise<{ readonly juliet: Client, readonly romeo: Client, readonly nurse: Client }> {
  const server = await world(...extensions)
  const juliet = await online(server, 'juliet@localhost/balcony')
  const romeo = await online(server, ROMEO)
  const nurse = await online(server, 'nurse@localhost/room')
  await subscribes(juliet, romeo)
  await subscribes(juliet, nurse)
  await juliet.received()
  return { juliet, romeo, nurse }
}

async function shows (client: Client, show: string): Promise<void> {
  await client.sends(`<presence><show>${show}</show></presence>`)
}

async function types (client: Client, to = 'juliet@localhost/balcony'): Promise<void> {
  await client.sends(`<message to='${to}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`)
}

function inBrief (received: readonly string[]): readonly string[] {
  return received.map(xml =>
    /<(?:show|body)>(.*?)</.exec(xml)?.[1] ?? (/composing/.exec(xml) ?? /type='\w+'/.exec(xml))?.[0] ?? xml)
}

describe('an inactive client', () => {
  test('gets the newest presence of each address when it is active, in order', async () => {
    const { juliet, romeo, nurse } = await three(clientState)
    await juliet.sendsNonza(INACTIVE)
    await shows(romeo, 'away')
    await shows(nurse, 'dnd')
    await shows(romeo, 'xa')

    const before = await juliet.received()
    await juliet.sendsNonza(ACTIVE)

    expect(before).toEqual([])
    expect(inBrief(await juliet.received())).toEqual(['dnd', 'xa'])
  })

  test('gets a message at once, behind what came before it', async () => {
    const { juliet, romeo, nurse } = await three(clientState, chatStates)
    await juliet.sendsNonza(INACTIVE)
    await shows(nurse, 'away')
    await types(romeo)

    await romeo.says('juliet@localhost', 'Lady!')

    expect(inBrief(await juliet.received())).toEqual(['away', 'composing', 'Lady!'])
  })

  test('is still inactive after a message', async () => {
    const { juliet, romeo } = await three(clientState)
    await juliet.sendsNonza(INACTIVE)
    await romeo.says('juliet@localhost', 'Lady!')
    await juliet.received()

    await shows(romeo, 'away')

    expect(await juliet.received()).toEqual([])
  })

  test('is asked for a subscription at once', async () => {
    const server = await world(clientState)
    const juliet = await online(server, 'juliet@localhost/balcony')
    const romeo = await online(server, ROMEO)
    await juliet.sendsNonza(INACTIVE)

    await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")

    expect(inBrief(await juliet.received())).toContain("type='subscribe'")
  })

  test('is not sent at once what another device of the account types', async () => {
    const server = await world(clientState, carbons, chatStates)
    const phone = await online(server, 'juliet@localhost/phone')
    const laptop = await online(server, 'juliet@localhost/laptop')
    await phone.asks('set', "<enable xmlns='urn:xmpp:carbons:2'/>")
    await phone.received()
    await phone.sendsNonza(INACTIVE)

    await types(laptop, ROMEO)

    expect(await phone.received()).toEqual([])
  })

  test('enters a room as an active one does', async () => {
    const server = await world(clientState)
    const romeo = await online(server, ROMEO)
    const juliet = await online(server, 'juliet@localhost/balcony')
    const join = "<x xmlns='http://jabber.org/protocol/muc'/></presence>"
    await romeo.sends(`<presence to='garden@conference.localhost/romeo'>${join}`)
    await romeo.asks('set', "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>",
      'garden@conference.localhost')
    await juliet.sendsNonza(INACTIVE)

    await juliet.sends(`<presence to='garden@conference.localhost/juliet'>${join}`)

    const presences = (await juliet.received()).filter(xml => xml.startsWith('<presence'))
    expect(presences.map(xml => /garden@conference.localhost\/(\w+)/.exec(xml)?.[1])).toEqual(['romeo', 'juliet'])
  })

  test('is sent everything when it is more than the server holds', async () => {
    const { juliet, romeo, nurse } = await three([clientState, { bytes: 400 }])
    await juliet.sendsNonza(INACTIVE)

    await shows(romeo, 'away')
    await shows(nurse, 'dnd')

    expect(inBrief(await juliet.received())).toEqual(['away', 'dnd'])
  })
})

test('a client that resumes is active, and has got what was held once (§5.2)', async () => {
  const { juliet, romeo } = await three(clientState, streamManagement)
  const id = await enables(juliet)
  await juliet.sendsNonza(INACTIVE)
  await shows(romeo, 'away')
  juliet.leaves()
  await shows(romeo, 'xa')

  await juliet.resumes(resume(id, 0))

  expect(inBrief(await juliet.received()).filter(word => !word.startsWith('<r'))).toEqual(['xa'])
  await juliet.sendsNonza(ack(1))
  await shows(romeo, 'dnd')
  expect(inBrief(await juliet.received()).filter(word => !word.startsWith('<r'))).toEqual(['dnd'])
})

test('what an inactive client gets is in order, and nothing that matters waits', async () => {
  const { juliet, romeo, nurse } = await three(clientState, chatStates)
  const step = fc.tuple(fc.constantFrom('presence', 'chat state', 'message', 'inactive', 'active'), fc.boolean())

  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 20 }), async steps => {
    await juliet.sendsNonza(ACTIVE)
    await juliet.received()
    let isInactive = false
    let waiting: { readonly key: string, readonly id: string }[] = []
    for (const [index, [what, isRomeo]] of steps.entries()) {
      const [sender, id] = [isRomeo ? romeo : nurse, `s${index}`]
      const key = `${what} ${isRomeo}`
      if (what === 'inactive' || what === 'active') {
        isInactive = what === 'inactive'
        await juliet.sendsNonza(isInactive ? INACTIVE : ACTIVE)
      } else {
        waiting = [...waiting.filter(one => one.key !== key), { key, id }]
        await sender.sends(stanzaOf(what, id))
      }
      const got = (await juliet.received()).map(xml => / id='(s\d+)'/.exec(xml)?.[1])
      const isDue = !isInactive || what === 'message'
      expect(got).toEqual(isDue ? waiting.map(one => one.id) : [])
      if (isDue) waiting = []
    }
  }), { numRuns: 60 })
})

function stanzaOf (what: string, id: string): string {
  if (what === 'presence') return `<presence id='${id}'/>`
  const payload = what === 'message' ? '<body>hi</body>' : "<active xmlns='http://jabber.org/protocol/chatstates'/>"
  return `<message id='${id}' type='chat' to='juliet@localhost/balcony'>${payload}</message>`
}
