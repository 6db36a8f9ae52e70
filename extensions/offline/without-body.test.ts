/** XEP-0160 §3: messages without a body are kept for who is away as others are, and nothing is lost in silence. */
import { describe, expect, test } from 'vitest'
import { online } from '../../test/support/world/online.ts'
import { configures, COVEN, owner } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { archive } from '../archive/index.ts'
import { chatStates } from '../chat-states/index.ts'
import { receipts } from '../receipts/index.ts'
import { streamManagement } from '../stream-management/index.ts'
import { offline } from './index.ts'

const EXTENSIONS = [archive, offline, chatStates, receipts, streamManagement] as const
const COMPOSING = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
const ROOM_USER = 'http://jabber.org/protocol/muc#user'

const KINDS: readonly (readonly [what: string, content: string])[] = [
  ['a direct invitation', "<x xmlns='jabber:x:conference' jid='coven@conference.localhost'/>"],
  ['a subject', '<subject>only a subject</subject>'],
  ['a form', "<x xmlns='jabber:x:data' type='submit'/>"],
  ['contacts', "<x xmlns='http://jabber.org/protocol/rosterx'><item action='add' jid='nurse@localhost'/></x>"],
  ['a link', "<x xmlns='jabber:x:oob'><url>https://example.org/a.png</url></x>"],
  ['a file', "<file-sharing xmlns='urn:xmpp:sfs:0'/>"],
  ['OpenPGP', "<openpgp xmlns='urn:xmpp:openpgp:0'>aGk=</openpgp>"],
  ['attention', "<attention xmlns='urn:xmpp:attention:0'/>"],
  ['what nobody knows', "<unknown xmlns='urn:example:unknown'/>"],
  ['the same with a chat state', `${COMPOSING}<unknown xmlns='urn:example:unknown'/>`],
  ['a receipt', "<received xmlns='urn:xmpp:receipts' id='m1'/>"],
]

/** The ways in which nobody is there; each gives the client that makes somebody be there again. */
const AWAY: readonly (readonly [how: string, goes: (server: World) => Promise<(juliet: World) => Promise<Client>>])[] =
  [
    ['is not there', async server => {
      (await server.client('juliet@localhost/elsewhere')).leaves(false)
      return comesBack
    }],
    ['is there with a negative priority only', async server => {
      const tablet = await server.client('juliet@localhost/tablet')
      await tablet.sends('<presence><priority>-1</priority></presence>')
      return comesBack
    }],
    ['has a session that waits for its client, and ends', async server => {
      const phone = await server.client('juliet@localhost/phone')
      await phone.sendsNonza("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
      await phone.sends('<presence/>')
      phone.leaves()
      return async () => {
        server.core.accounts.end(phone.session)
        return comesBack(server)
      }
    }],
  ]

async function comesBack (server: World): Promise<Client> {
  const client = await server.client('juliet@localhost/balcony')
  await client.sends('<presence/>')
  return client
}

function messages (received: readonly string[]): readonly string[] {
  return received.filter(xml => xml.startsWith('<message'))
}

describe.for(AWAY)('to somebody who %s', ([, goes]) => {
  test.for(
    KINDS.flatMap(([what, content]) => (['chat', 'normal'] as const).map(type => [what, type, content] as const)),
  )(
    '%s of type %s comes at the next login', async ([, type, content]) => {
      const server = await world(...EXTENSIONS)
      const romeo = await online(server, 'romeo@localhost/orchard')
      const back = await goes(server)

      await romeo.sends(`<message to='juliet@localhost' type='${type}'>${content}</message>`)
      const juliet = await back(server)

      expect(messages(await juliet.received())).toEqual([expect.stringContaining(content)])
      expect(messages(await romeo.received())).toEqual([])
    })

  test.for([
    ['a chat state', COMPOSING],
    [
      'a chat state in a thread, with an id',
      `${COMPOSING}<thread>t</thread><origin-id xmlns='urn:xmpp:sid:0' id='1'/>`,
    ],
    ['nothing at all', ''],
  ])('%s is forgotten', async ([, content]) => {
    const server = await world(...EXTENSIONS)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const back = await goes(server)

    await romeo.sends(`<message to='juliet@localhost' type='chat'>${content}</message>`)
    const juliet = await back(server)

    expect(messages(await juliet.received())).toEqual([])
  })

  test('an invitation through a room comes at the next login, and so does what declines it', async () => {
    const server = await world(...EXTENSIONS)
    const crone = await owner(server)
    await configures(crone, { membersonly: '1', persistentroom: '1' })
    const back = await goes(server)

    await crone.sends(
      `<message to='${COVEN}'><x xmlns='${ROOM_USER}'><invite to='juliet@localhost'><reason>come</reason></invite></x></message>`,
    )
    const juliet = await back(server)
    const invitations = messages(await juliet.received())
    crone.leaves(false)
    await juliet.sends(
      `<message to='${COVEN}'><x xmlns='${ROOM_USER}'><decline to='crone1@localhost'><reason>no</reason></decline></x></message>`,
    )
    const again = await server.client('crone1@localhost/desktop')
    await again.sends('<presence/>')

    expect(invitations).toEqual([expect.stringContaining('<reason>come</reason>')])
    expect(messages(await again.received())).toEqual([expect.stringContaining('<reason>no</reason>')])
  })
})

test.for(KINDS)(
  '%s that may not be kept goes back with an error, not into nothing (RFC 6121 §8.5.2.2.1)',
  async ([, content]) => {
    const server = await world(...EXTENSIONS)
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await server.client('juliet@localhost/elsewhere')
    juliet.leaves(false)

    await romeo.sends(`<message to='juliet@localhost' type='chat'>${content}<no-store xmlns='urn:xmpp:hints'/></message>`)

    expect(await romeo.receivedInBrief()).toEqual(['message error service-unavailable from juliet@localhost'])
  })
