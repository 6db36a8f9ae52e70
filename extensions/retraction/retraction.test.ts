/** XEP-0424: Message Retraction. */
import { describe, expect, test } from 'vitest'
import { online } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import type { World } from '../../test/support/world/world.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { archive } from '../archive/index.ts'
import { correction } from '../correction/index.ts'
import { retraction } from './index.ts'

async function stage () {
  const server = await world(archive, correction, retraction)
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await online(server, 'juliet@localhost/balcony')
  return { server, romeo, juliet }
}

/** What an account's archive holds, the contents alone. */
async function kept (server: World, owner: string): Promise<readonly string[]> {
  const rows = await server.db.query<{ stanza: string }>(
    'select stanza from archive_message where owner = $1 order by seq',
    [owner],
  )
  return rows.map(({ stanza }) => stanza.replace(/^<message[^>]*>|<\/message>$/g, ''))
}

/** Does something while the database refuses to do another. */
async function failing (server: World, operation: string, task: () => Promise<void>): Promise<void> {
  await server.db.query(
    "create function fail () returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '23514'; end $$",
  )
  await server.db.query(`create trigger fail before ${operation} for each row execute function fail()`)
  try {
    await task()
  } finally {
    await server.db.query('drop function fail cascade')
  }
}

const says = (id: string, content: string) =>
  `<message to='juliet@localhost' type='chat' id='${id}'>${content}</message>`
const retracts = (id: string) => says(`no-${id}`, `<retract id='${id}' xmlns='urn:xmpp:message-retract:1'/>`)
const TOMBSTONE = expect.stringMatching(/^<retracted xmlns='urn:xmpp:message-retract:1' id='no-one' stamp='[^']+Z'\/>$/)
const RETRACTION = expect.stringMatching(/^<retract id='one'/)

test('what its author retracts becomes a tombstone in both archives, beside the retraction (§4)', async () => {
  const { server, romeo, juliet } = await stage()
  await romeo.sends(says('one', '<body>Have not saints lips?</body>'))
  await romeo.sends(says('two', '<body>and holy palmers too?</body>'))

  await romeo.sends(retracts('one'))

  expect(await juliet.received()).toHaveLength(3)
  for (const owner of ['romeo@localhost', 'juliet@localhost']) {
    expect(await kept(server, owner)).toEqual([TOMBSTONE, '<body>and holy palmers too?</body>', RETRACTION])
  }
})

test('a tombstone keeps the addresses, the type and the id of the message', async () => {
  const { server, romeo, juliet } = await stage()
  await romeo.sends(says('one', '<body>Have not saints lips?</body>'))

  await romeo.sends(retracts('one'))

  await juliet.received()
  const [row] = await server.db.query<{ stanza: string }>(
    "select stanza from archive_message where owner = 'juliet@localhost' order by seq",
  )
  expect(row?.stanza).toMatch(
    /^<message xmlns='jabber:client' from='romeo@localhost\/orchard' to='juliet@localhost' id='one' type='chat'>/,
  )
})

test('what corrected it goes with it', async () => {
  const { server, romeo, juliet } = await stage()
  await romeo.sends(says('one', '<body>Have not saints lips?</body>'))
  await romeo.sends(
    says(
      'two',
      "<body>Have not saints lips, and holy palmers too?</body><replace id='one' xmlns='urn:xmpp:message-correct:0'/>",
    ),
  )

  await romeo.sends(retracts('one'))

  await juliet.received()
  expect(await kept(server, 'juliet@localhost')).toEqual([TOMBSTONE, TOMBSTONE, RETRACTION])
})

describe('a server that ends before the tombstone is there', () => {
  /** As an end right after the commit leaves it: the retraction is in both archives, its tombstones are not. */
  async function ended () {
    const { server, romeo, juliet } = await stage()
    await romeo.sends(says('one', '<body>Have not saints lips?</body>'))
    await failing(server, 'update on archive_message', async () => {
      await romeo.sends(retracts('one'))
      await juliet.received()
    })
    return { server }
  }

  test('puts it at its next start, before anybody can ask', async () => {
    const { server } = await ended()
    expect((await kept(server, 'juliet@localhost'))[0]).toContain('saints')

    const again = await server.restarts()

    for (const owner of ['romeo@localhost', 'juliet@localhost'])
      expect(await kept(again, owner)).toEqual([TOMBSTONE, RETRACTION])
    expect(await again.db.query('select * from retraction_waiting')).toEqual([])
  })

  test('is not kept from starting by what is gone or emptied since', async () => {
    const { server } = await ended()
    await server.db.query("delete from archive_message where owner = 'romeo@localhost'")
    await server.db.query("update archive_message set stanza = ''")

    const again = await server.restarts()

    expect(await again.db.query('select * from retraction_waiting')).toEqual([])
  })

  test('does not acknowledge a retraction of which it would not know', async () => {
    const { server, romeo, juliet } = await stage()
    await romeo.sends(says('one', '<body>Have not saints lips?</body>'))
    await juliet.received()

    await failing(server, 'insert on retraction_waiting', () =>
      expect(romeo.sends(retracts('one'))).rejects.toThrow('try again'))

    expect(await juliet.received()).toEqual([])
    expect(await kept(server, 'romeo@localhost')).toEqual(['<body>Have not saints lips?</body>'])
  })

  test('is not kept from the others by a retraction that fails', async () => {
    const { server } = await ended()
    await server.db.query(`insert into archive_message select owner, seq + 2, peer, is_sent, sent_at, fingerprint,
      replace(stanza, 'one', 'three') from archive_message where owner = 'juliet@localhost'`)
    await server.db.query("insert into retraction_waiting (owner, seq) values ('juliet@localhost', 4)")
    await server.db.query("update archive_message set stanza = 'no stanza' where seq = 2")

    const again = await server.restarts()

    expect((await kept(again, 'juliet@localhost'))[2]).toMatch(/^<retracted .* id='no-three'/)
  })

  test('leaves nothing behind of an account that was removed', async () => {
    const { server } = await ended()

    await server.core.commands.remove(Jid.parse('romeo@localhost'))

    expect(await server.db.query('select distinct owner from retraction_waiting')).toEqual([{
      owner: 'juliet@localhost',
    }])
  })
})

test('nobody retracts what another wrote (§5)', async () => {
  const { server, romeo, juliet } = await stage()
  const tybalt = await online(server, 'tybalt@localhost/street')
  await romeo.sends(says('one', '<body>Have not saints lips?</body>'))

  await tybalt.sends(retracts('one'))
  await juliet.sends(
    "<message to='romeo@localhost' type='chat' id='x'><retract id='one' xmlns='urn:xmpp:message-retract:1'/></message>",
  )

  await juliet.received()
  expect((await kept(server, 'juliet@localhost'))[0]).toBe('<body>Have not saints lips?</body>')
  expect((await kept(server, 'romeo@localhost'))[0]).toBe('<body>Have not saints lips?</body>')
})

test('somebody in a room retracts nothing of another there (§5)', async () => {
  const { server, juliet } = await stage()
  const inRoom = (nick: string) => online(server, `cave@localhost/${nick}`)
  const [firstwitch, secondwitch] = [await inRoom('firstwitch'), await inRoom('secondwitch')]
  const ROOM_USER = "<x xmlns='http://jabber.org/protocol/muc#user'/>"
  await firstwitch.sends(says('one', `<body>psst</body>${ROOM_USER}`))

  await secondwitch.sends(says('no-one', `<retract id='one' xmlns='urn:xmpp:message-retract:1'/>${ROOM_USER}`))

  await juliet.received()
  expect((await kept(server, 'juliet@localhost'))[0]).toContain('<body>psst</body>')
})

test('an id that nobody knows is no harm, nor one that is part of others', async () => {
  const { server, romeo, juliet } = await stage()
  await romeo.sends(says('one-and-more', "<body>one</body><x xmlns='urn:xmpp:message-correct:0' id='one'/>"))

  await romeo.sends(retracts('one'))

  await juliet.received()
  expect((await kept(server, 'juliet@localhost'))[0]).toContain('<body>one</body>')
})

describe('a command (XEP-0050)', () => {
  const NS = 'http://jabber.org/protocol/commands'
  const NODE = 'urn:heliograph:retraction:delete'
  const command = (ids: string) =>
    `<command xmlns='${NS}' node='${NODE}' action='complete'><x xmlns='jabber:x:data' type='submit'>` +
    `<field var='ids'><value>${ids}</value></field></x></command>`

  test('can be found, and says what it wants', async () => {
    const { romeo } = await stage()

    const list = await romeo.asks('get', `<query xmlns='http://jabber.org/protocol/disco#items' node='${NS}'/>`)
    const info = await romeo.asks('get', `<query xmlns='http://jabber.org/protocol/disco#info' node='${NODE}'/>`)
    const begun = await romeo.asks('set', `<command xmlns='${NS}' node='${NODE}'/>`)

    expect(list?.toString()).toContain(`jid='romeo@localhost' node='${NODE}'`)
    expect(info?.toString()).toContain("category='automation' type='command-node'")
    expect(begun?.attrs).toMatchObject({ node: NODE, status: 'executing' })
    expect(begun?.getChild('x')?.toString()).toContain("var='ids'")
  })

  test('empties a message of the own archive and of no other', async () => {
    const { server, romeo } = await stage()
    await romeo.sends(says('one', '<body>hush</body>'))
    await romeo.sends(says('two', '<body>hark</body>'))

    const done = await romeo.asks('set', command(romeo.session.account.archiveIds.encode(1)))

    expect(done?.attrs.status).toBe('completed')
    expect(await kept(server, 'romeo@localhost')).toEqual([
      expect.stringMatching(/^<retracted [^>]*by='romeo@localhost'/),
      '<body>hark</body>',
    ])
    expect(await kept(server, 'juliet@localhost')).toEqual(['<body>hush</body>', '<body>hark</body>'])
  })

  test.each([[command('x'), 'bad-request'], [`<command xmlns='${NS}' node='other'/>`, 'item-not-found'],
    [`<command xmlns='${NS}' node='${NODE}' action='prev'/>`, 'bad-request'],
  ])('%s is answered with %s', async (request, condition) => {
    const { romeo } = await stage()

    await expect(romeo.asks('set', request)).rejects.toThrow(condition)
  })

  test('can be canceled', async () => {
    const { romeo } = await stage()

    const canceled = await romeo.asks('set', `<command xmlns='${NS}' node='${NODE}' action='cancel' sessionid='s'/>`)

    expect(canceled?.attrs).toMatchObject({ status: 'canceled', sessionid: 's' })
  })
})

test('who has the name of a removed account retracts nothing that was said under it', async () => {
  const { server, romeo, juliet } = await stage()
  await romeo.sends(says('one', '<body>Have not saints lips?</body>'))
  await server.core.commands.remove(romeo.session.account.jid)
  const next = await online(server, 'romeo@localhost/street')

  await next.sends(retracts('one'))

  await juliet.received()
  await expect.poll(() => server.db.query('select from retraction_waiting')).toEqual([])
  expect(await kept(server, 'juliet@localhost')).toEqual(['<body>Have not saints lips?</body>', RETRACTION])
})
