/** XEP-0424: Message Retraction, in rooms. */
import { expect, test } from 'vitest'
import { COVEN, enters, hears, inside, owner, parseStanza, says } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { el } from '../../src/xml/element.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { message } from '../../src/xmpp/stanza.ts'
import { archive } from '../archive/index.ts'
import { correction } from '../correction/index.ts'
import { occupantId } from '../occupant-id/index.ts'
import { retraction } from './index.ts'

/** What the room's archive holds, the contents alone. */
async function kept (server: World): Promise<readonly string[]> {
  const rows = await server.db.query<{ stanza: string }>(
    'select stanza from archive_message where owner = $1 order by seq',
    [COVEN],
  )
  return rows.map(({ stanza }) => stanza.replace(/^<message[^>]*>|<\/message>$/g, ''))
}

const toRoom = (content: string, id = 'm1'): string =>
  `<message to='${COVEN}' type='groupchat' id='${id}'>${content}</message>`
const takesBack = (id: string): string => toRoom(`<retract id='${id}' xmlns='urn:xmpp:message-retract:1'/>`, 'no-one')

async function coven () {
  const server = await world(archive, correction, occupantId, retraction)
  const crone = await owner(server)
  const hag = await inside(server, 'hag66@localhost/pda', 'thirdwitch')
  await hag.sends(toRoom('<body>hail</body>'))
  await hag.sends(toRoom("<body>hail!</body><replace id='m1' xmlns='urn:xmpp:message-correct:0'/>", 'm2'))
  const ids = (await hag.received()).map(xml =>
    parseStanza(xml).getChild('stanza-id', 'urn:xmpp:sid:0')?.attrs['id'] ?? ''
  )
  return { server, crone, hag, id: ids[0] ?? '' }
}

const STONE = expect.stringMatching(
  /^<occupant-id [^>]*\/><retracted xmlns='urn:xmpp:message-retract:1' id='no-one' stamp='[^']+Z'\/>$/,
)

test('an author takes back a message by the id that the room gave it, with what corrected it, whatever the nick is by then (§5.1)', async () => {
  const { server, hag, id } = await coven()
  await hag.sends(`<presence to='${COVEN}/oldhag'/>`)

  await hag.sends(takesBack(id))

  await hag.received()
  expect(await kept(server)).toEqual([STONE, STONE, expect.stringMatching(/^<retract /)])
})

test('nobody takes back what another wrote, nor what is no message of the room', async () => {
  const { server, crone, hag, id } = await coven()

  await crone.sends(takesBack(id))
  await hag.sends(takesBack('m1'))
  await hag.sends(takesBack('1'))

  await crone.received()
  expect((await kept(server)).slice(0, 2)).toEqual([
    expect.stringMatching(/^<body>hail</),
    expect.stringMatching(/^<body>hail!/),
  ])
})

test('what was taken back is not shown to newcomers', async () => {
  const { server, hag, id } = await coven()
  await says(hag, 'Hecate')
  await hag.sends(takesBack(id))
  await hag.received()

  const newcomer = await server.client('crone2@localhost/desktop')
  await enters(newcomer, 'secondwitch')

  expect((await hears(newcomer)).filter(line => line.includes(':'))).toEqual([expect.stringContaining('Hecate')])
})

test('the room itself takes back what anybody wrote, with who did it and why (XEP-0425 §5)', async () => {
  const { server, crone, id } = await coven()
  const room = await server.core.rooms.room(Jid.parse(COVEN))
  if (!room) throw new Error('no room')
  await crone.received()

  await server.core.rooms.say(
    room,
    message(
      'groupchat',
      { id: 'no-one' },
      el(
        'retract',
        'urn:xmpp:message-retract:1',
        { id },
        el('moderated', 'urn:xmpp:message-moderate:1', { by: `${COVEN}/firstwitch` }),
        el('reason', 'urn:xmpp:message-retract:1', {}, 'spam'),
      ),
    ),
  )

  const [told] = await crone.received()
  expect(told).toContain(`from='${COVEN}'`)
  expect(told).toContain(`by='${COVEN}'`)
  expect((await kept(server))[0]).toMatch(
    /<retracted [^>]*><moderated [^>]*by='coven@conference.localhost\/firstwitch'\/><reason[^>]*>spam<\/reason><\/retracted>$/,
  )
})

/** What one says to another in the room alone. */
const privately = (id: string, content: string): string =>
  `<message to='${COVEN}/firstwitch' type='chat' id='${id}'>${content}<x xmlns='http://jabber.org/protocol/muc#user'/></message>`
const RETRACT_ONE = "<retract id='one' xmlns='urn:xmpp:message-retract:1'/>"

async function whispers (server: World): Promise<readonly string[]> {
  const rows = await server.db.query<{ stanza: string }>(
    "select stanza from archive_message where owner = 'crone1@localhost' and not is_sent order by seq")
  return rows.map(({ stanza }) => stanza)
}

test('who takes the nick of another does not take back what that one said to somebody (§5)', async () => {
  const { server, crone, hag } = await coven()
  await hag.sends(privately('one', '<body>psst</body>'))
  await hag.sends(`<presence type='unavailable' to='${COVEN}/thirdwitch'/>`)
  const thief = await inside(server, 'thief@localhost/pda', 'thirdwitch')

  await thief.sends(privately('no-one', RETRACT_ONE))

  await crone.received()
  expect((await whispers(server))[0]).toContain('<body>psst</body>')
})

test('who said something to somebody takes it back under whatever nick', async () => {
  const { server, crone, hag } = await coven()
  await hag.sends(privately('one', '<body>psst</body>'))
  await hag.sends(`<presence to='${COVEN}/oldhag'/>`)

  await hag.sends(privately('no-one', RETRACT_ONE))

  await crone.received()
  await expect.poll(async () => (await whispers(server))[0]).toContain('<retracted ')
})

/** The account is removed, and somebody else is in the room under its name. */
async function isSucceeded (server: World, nick: string): Promise<Client> {
  await server.core.commands.remove(Jid.parse('hag66@localhost'))
  return inside(server, 'hag66@localhost/new', nick)
}

test('who has the name of a removed account takes back nothing that was said under it, to all or to one', async () => {
  const { server, crone, hag, id } = await coven()
  await hag.sends(privately('one', '<body>psst</body>'))
  const next = await isSucceeded(server, 'thirdwitch')

  await next.sends(takesBack(id))
  await next.sends(privately('no-one', RETRACT_ONE))

  await crone.received()
  await expect.poll(() => server.db.query('select from retraction_waiting')).toEqual([])
  expect((await kept(server))[0]).toMatch(/^<body>hail</)
  expect((await whispers(server))[0]).toContain('<body>psst</body>')
})
