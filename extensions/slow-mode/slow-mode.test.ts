/** XEP-0500: MUC Slow Mode. */
import { describe, expect, test, vi } from 'vitest'
import { changes, configures, COVEN, hears, inside, owner, says } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Element } from '../../src/xml/element.ts'
import { archive } from '../archive/index.ts'
import { slowMode } from './index.ts'

const HAG = 'hag66@localhost/pda'
const OPTION = 'muc#roomconfig_slow_mode_duration'
const NS_VALIDATE = 'http://jabber.org/protocol/xdata-validate'

async function stage (seconds = '20') {
  const server = await world(slowMode)
  const crone = await owner(server, undefined, undefined, { [OPTION]: seconds })
  const hag = await inside(server, HAG, 'thirdwitch')
  await crone.received()
  return { server, crone, hag }
}

function fieldIn (query: Element | undefined, name: string): Element | undefined {
  return query?.getChild('x', 'jabber:x:data')?.getChildren('field').find(field => field.attrs['var'] === name)
}

test('who writes again too soon is refused, told how long to wait, and heard by nobody (§6)', async () => {
  const { crone, hag } = await stage()

  await says(hag, 'one')
  await says(hag, 'two')

  expect(await hears(crone)).toEqual(['thirdwitch: one'])
  const [, refused = ''] = await hag.received()
  expect(refused).toMatch(/<error [^>]*type='wait'><policy-violation .*20 seconds/)
})

test('who has waited may write (§6)', async () => {
  const { crone, hag } = await stage()
  await says(hag, 'one')
  const later = Date.now() + 20_000
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => later)

  await says(hag, 'two')

  clock.mockRestore()
  expect(await hears(crone)).toEqual(['thirdwitch: one', 'thirdwitch: two'])
})

test('another device with another nick waits with the first (§8)', async () => {
  const { server, crone, hag } = await stage()
  const desk = await inside(server, 'hag66@localhost/desk', 'oldhag')
  await crone.received()

  await says(hag, 'one')
  await says(desk, 'two')

  expect(await hears(crone)).toEqual(['thirdwitch: one'])
})

test('each waits for himself, and for his text alone; private messages do not wait (§6)', async () => {
  const { server, crone, hag } = await stage()
  const wicca = await inside(server, 'wiccarocks@localhost/laptop', 'secondwitch')
  await crone.received()

  await says(hag, 'one')
  await says(wicca, 'hail')
  await hag.sends(
    `<message to='${COVEN}' type='groupchat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
  )
  await hag.sends(`<message to='${COVEN}/firstwitch' type='chat'><body>psst</body></message>`)

  expect((await hears(crone)).map(line => line.trim())).toEqual([
    'thirdwitch: one',
    'secondwitch: hail',
    'thirdwitch',
    'privately thirdwitch: psst',
  ])
})

test.each(['admin', 'owner'])('an %s need not wait (§6)', async affiliation => {
  const { crone, hag } = await stage()
  await changes(crone, [{ affiliation, jid: 'hag66@localhost' }])
  await crone.received()

  for (const body of ['one', 'two']) await says(hag, body)

  expect(await hears(crone)).toEqual(['thirdwitch: one', 'thirdwitch: two'])
})

test('the form has a whole number for it, and what it is set to the room tells (§5)', async () => {
  const { crone } = await stage('7')

  const form = await crone.asks('get', "<query xmlns='http://jabber.org/protocol/muc#owner'/>", COVEN)
  const info = await crone.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", COVEN)

  const field = fieldIn(form, OPTION)
  expect([field?.attrs['type'], field?.getChildText('value')]).toEqual(['text-single', '7'])
  expect(field?.getChild('validate', NS_VALIDATE)?.attrs['datatype']).toBe('xs:integer')
  expect(field?.getChild('validate', NS_VALIDATE)?.getChild('range', NS_VALIDATE)?.attrs['min']).toBe('0')
  expect(fieldIn(info, 'muc#roominfo_slow_mode_duration')?.getChildText('value')).toBe('7')
  await expect(configures(crone, { [OPTION]: '-1' })).rejects.toThrow('not-acceptable')
})

describe('what comes again', () => {
  const sent = (id: string, text: string): string =>
    `<message to='${COVEN}' type='groupchat'>${text}<origin-id xmlns='urn:xmpp:sid:0' id='${id}'/></message>`
  const written = (id: string, body: string): string => sent(id, `<body>${body}</body>`)

  async function archived () {
    const server = await world(archive, slowMode)
    const crone = await owner(server, undefined, undefined, { [OPTION]: '20' })
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()
    return { crone, hag }
  }

  test('is acknowledged as what it is, however soon, and heard by nobody else', async () => {
    const { crone, hag } = await archived()
    await hag.sends(written('a', 'one'))
    const [first = ''] = await hag.received()

    await hag.sends(written('a', 'one'))

    expect(await hag.received()).toEqual([first])
    expect(await hears(crone)).toEqual(['thirdwitch: one'])
  })

  test('makes nobody wait', async () => {
    const { crone, hag } = await archived()
    await hag.sends(written('a', 'one'))
    const later = Date.now() + 20_000
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => later)

    await hag.sends(written('a', 'one'))
    await hag.sends(written('b', 'two'))

    clock.mockRestore()
    expect(await hears(crone)).toEqual(['thirdwitch: one', 'thirdwitch: two'])
  })
})

test('two messages at once are one too many, also while the first is being kept', async () => {
  const server = await world(archive, slowMode)
  const crone = await owner(server, undefined, undefined, { [OPTION]: '20' })
  const hag = await inside(server, HAG, 'thirdwitch')
  await crone.received()

  await Promise.all([says(hag, 'one'), says(hag, 'two')])

  expect(await hears(crone)).toEqual(['thirdwitch: one'])
})

test('a message that could not be kept makes nobody wait', async () => {
  const server = await world(archive, slowMode)
  const crone = await owner(server, undefined, undefined, { [OPTION]: '20' })
  const hag = await inside(server, HAG, 'thirdwitch')
  await crone.received()
  await server.db.query(
    "create function fail () returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '23514'; end $$",
  )
  await server.db.query('create trigger fail before insert on archive_message for each row execute function fail()')
  await says(hag, 'one')
  expect(await hears(hag)).toEqual(['error internal-server-error'])
  await server.db.query('drop function fail cascade')

  await says(hag, 'two')

  expect(await hears(crone)).toEqual(['thirdwitch: two'])
})
