/** XEP-0313: Message Archive Management. */
import { describe, expect, test } from 'vitest'
import { numbered, withIds } from '../../test/support/world/archive-numbers.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { blocking } from '../blocking/index.ts'
import { archive } from './index.ts'

const NS = 'urn:xmpp:mam:2'
const RSM = "xmlns='http://jabber.org/protocol/rsm'"

/** Romeo and Juliet, online. */
async function stage (server: World): Promise<readonly [Client, Client]> {
  const romeo = await server.client('romeo@localhost/orchard')
  const juliet = await server.client('juliet@localhost/balcony')
  for (const client of [romeo, juliet]) await client.sends('<presence/>')
  for (const client of [romeo, juliet]) await client.received()
  return [romeo, juliet]
}

function form (fields: Readonly<Record<string, string | readonly string[]>>): string {
  const field = (name: string, values: readonly string[]) =>
    `<field var='${name}'>${values.map(value => `<value>${value}</value>`).join('')}</field>`
  const all = Object.entries(fields).map(([name, values]) => field(name, [values].flat())).join('')
  return `<x xmlns='jabber:x:data' type='submit'>${field('FORM_TYPE', [NS])}${all}</x>`
}

async function asks (client: Client, content = '', attributes = "queryid='q'"): Promise<string> {
  const { account } = client.session
  const fin = await client.asks('set', withIds(`<query xmlns='${NS}' ${attributes}>${content}</query>`, account))
  return numbered(String(fin), account)
}

/** What it has received, with numbers in place of its archive's ids. */
async function received (client: Client): Promise<readonly string[]> {
  return (await client.received()).map(xml => numbered(xml, client.session.account))
}

/** What came as results: the id, and the text of the message. */
async function results (client: Client): Promise<readonly string[]> {
  return (await received(client)).map(xml =>
    `${/<result [^>]*\bid='(\d+)'/.exec(xml)?.[1]} ${/<body>(.*?)<\/body>/.exec(xml)?.[1]}`)
}

/** What an archive holds, as its owner reads it. */
async function archiveOf (client: Client): Promise<readonly string[]> {
  await client.received()
  await asks(client)
  return results(client)
}

const says = async (client: Client, ...bodies: readonly string[]): Promise<void> => {
  for (const body of bodies) await client.says('juliet@localhost', body)
}

describe('what is kept', () => {
  test('is what both sides sent and received, under ids of each one\'s own, that the recipient is told', async () => {
    const [romeo, juliet] = await stage(await world(archive))
    await romeo.says('nurse@localhost', 'nobody hears this')
    await romeo.says('juliet@localhost', 'hist')
    await juliet.says('romeo@localhost', 'my lord')

    expect(await received(juliet)).toEqual([
      "<message from='romeo@localhost/orchard' to='juliet@localhost' type='chat'><body>hist</body>" +
      "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@localhost' id='1'/></message>"])
    expect(await archiveOf(juliet)).toEqual(['1 hist', '2 my lord'])
    expect(await archiveOf(romeo)).toEqual(['1 nobody hears this', '2 hist', '3 my lord'])
  })

  test('is no chat state, error, headline or message for a room, nor what its sender hints away', async () => {
    const [romeo, juliet] = await stage(await world(archive))
    const send = (type: string, content: string) =>
      romeo.sends(`<message to='juliet@localhost' type='${type}'>${content}</message>`)
    await send('chat', "<composing xmlns='http://jabber.org/protocol/chatstates'/>")
    await send('error', '<body>error</body>')
    await send('error', "<body>error</body><store xmlns='urn:xmpp:hints'/>")
    await send('headline', '<body>headline</body>')
    await send('groupchat', '<body>groupchat</body>')
    await send('chat', "<body>secret</body><no-store xmlns='urn:xmpp:hints'/>")
    await send('chat', "<body>secret</body><no-permanent-store xmlns='urn:xmpp:hints'/><store xmlns='urn:xmpp:hints'/>")
    await send('chat', "<x xmlns='urn:example'/><store xmlns='urn:xmpp:hints'/>")
    await send('headline', "<body>kept</body><store xmlns='urn:xmpp:hints'/>")

    expect(await archiveOf(juliet)).toEqual(['1 undefined', '2 kept'])
    expect(await archiveOf(romeo)).toEqual(['1 undefined', '2 kept'])
  })

  test('is once what one sends oneself, and stamped where it arrives', async () => {
    const [romeo] = await stage(await world(archive))
    await romeo.says('romeo@localhost', 'buy poison')
    await romeo.sends("<message type='chat'><body>to whom?</body></message>")

    expect((await received(romeo)).map(xml => /<stanza-id.*/.exec(xml)?.[0])).toEqual([
      "<stanza-id xmlns='urn:xmpp:sid:0' by='romeo@localhost' id='1'/></message>",
      "<stanza-id xmlns='urn:xmpp:sid:0' by='romeo@localhost' id='2'/></message>"])
    expect(await archiveOf(romeo)).toEqual(['1 buy poison', '2 to whom?'])
  })

  test('holds no id that its owner, or who wrote to them, made up', async () => {
    const [romeo, juliet] = await stage(await world(archive))
    const forged = ['romeo', 'juliet', 'JULIET', 'nurse', 'no body'].map(by =>
      `<stanza-id xmlns='urn:xmpp:sid:0' by='${by}@localhost' id='99'/>`
    )
    await romeo.sends(`<message to='juliet@localhost'><body>hist</body>${forged.join('')}</message>`)

    const [given] = await received(juliet)
    await asks(juliet)
    const [kept] = await received(juliet)
    await asks(romeo)
    const [sent] = await received(romeo)

    expect(given?.match(/(?<=by=')[^@]+@localhost' id='\d+/g)).toEqual([
      "nurse@localhost' id='99", "no body@localhost' id='99", "juliet@localhost' id='1",
    ])
    expect(kept).not.toMatch(/by='(?:romeo|juliet)@localhost'/i)
    expect(sent).not.toContain("by='romeo@localhost'")
  })

  test('is not what the recipient\'s block list refuses', async () => {
    const [romeo, juliet] = await stage(await world(blocking, archive))
    await juliet.asks('set', "<block xmlns='urn:xmpp:blocking'><item jid='romeo@localhost'/></block>")
    await romeo.says('juliet@localhost', 'hist')

    expect(await archiveOf(juliet)).toEqual([])
  })

  test('is nothing of an anonymous account', async () => {
    const server = await world(archive)
    const [romeo] = await stage(server)
    const guest = await server.guest('guest@localhost/mask')
    await guest.says('romeo@localhost', 'who are you')

    expect(await archiveOf(guest)).toEqual([])
    expect(await archiveOf(romeo)).toEqual(['1 who are you'])
  })

  test('is under ids that its owner\'s name is never given again, and that nobody else\'s archive knows', async () => {
    const server = await world(archive)
    const [romeo, juliet] = await stage(server)
    await says(romeo, 'one', 'two', 'three')
    const before = (await juliet.received()).map(xml => /<stanza-id [^>]*id='([^']*)'/.exec(xml)?.[1] ?? '')
    await server.core.commands.remove(Jid.parse('juliet@localhost'))
    const again = await server.client('juliet@localhost/balcony')
    await again.sends('<presence/>')
    await says(romeo, 'four', 'five', 'six', 'seven')

    const after = (await again.received()).map(xml => /<stanza-id [^>]*id='([^']*)'/.exec(xml)?.[1] ?? '').filter(id =>
      id !== ''
    )

    expect(after).toHaveLength(4)
    expect(new Set([...before, ...after]).size).toBe(7)
    for (
      const [client, id] of [
        ...before.map(id => [again, id] as const),
        ...after.map(id => [romeo, id] as const),
        [again, '1'] as const,
      ]
    ) {
      const unknown = client.asks('set', `<query xmlns='${NS}'><set ${RSM}><after>${id}</after></set></query>`)
      await expect(unknown, 'no page that leaves messages out').rejects.toThrow('item-not-found')
    }
  })

  test('is found by the numbers that clients of an old account have seen', async () => {
    const server = await world(archive)
    await server.client('romeo@localhost/tomb')
    await server.db.query('update account set had_numbers = true')
    const restarted = await server.restarts()
    const romeo = await restarted.client('romeo@localhost/orchard')
    await says(romeo, 'one', 'two')
    await romeo.received()

    await romeo.asks('set', `<query xmlns='${NS}'><set ${RSM}><after>1</after></set></query>`)

    expect(await results(romeo)).toEqual(['2 two'])
  })

  test('goes with the account, and does not come back with its name', async () => {
    const server = await world(archive)
    const [romeo, juliet] = await stage(server)
    await says(romeo, 'hist')
    await server.core.commands.remove(juliet.session.jid)
    await romeo.received()

    const another = await server.client('juliet@localhost/balcony')
    expect(await archiveOf(another)).toEqual([])
    await another.says('romeo@localhost', 'I am new here')
    expect(await archiveOf(another)).toEqual(['1 I am new here'])
  })
})

describe('a message that comes again', () => {
  const message = (body: string, more = '', to = 'juliet@localhost') =>
    `<message to='${to}' type='chat'><body>${body}</body><origin-id xmlns='urn:xmpp:sid:0' id='o1'/>${more}</message>`

  test('is kept and delivered once, also from another resource and with the delay that it had', async () => {
    const server = await world(archive)
    const [romeo, juliet] = await stage(server)
    await romeo.sends(message('hist'))
    await romeo.sends(message('hist'))
    const phone = await server.client('romeo@localhost/phone')
    await phone.sends(
      message('hist', "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>", 'juliet@localhost/balcony'),
    )

    expect(await juliet.received()).toHaveLength(1)
    expect(await archiveOf(juliet)).toEqual(['1 hist'])
    expect(await archiveOf(romeo)).toEqual(['1 hist'])
  })

  test('is recognised after a restart of the server', async () => {
    const server = await world(archive)
    const [before] = await stage(server)
    await before.sends(message('hist'))

    const [romeo, juliet] = await stage(await server.restarts())
    await romeo.sends(message('hist'))

    expect(await juliet.received()).toEqual([])
    expect(await archiveOf(juliet)).toEqual(['1 hist'])
  })

  test('is another where it says something else, goes to somebody else or comes from somebody else', async () => {
    const server = await world(archive)
    const [romeo, juliet] = await stage(server)
    const nurse = await server.client('nurse@localhost/phone')
    await romeo.sends(message('hist'))
    await romeo.sends(message('hist, hist'))
    await romeo.sends(message('hist', '', 'nurse@localhost'))
    await nurse.sends(message('hist'))

    expect(await archiveOf(juliet)).toEqual(['1 hist', '2 hist, hist', '3 hist'])
    expect(await archiveOf(romeo)).toEqual(['1 hist', '2 hist, hist', '3 hist'])
  })

  test('is kept as often as it comes where its sender gave it no id', async () => {
    const [romeo, juliet] = await stage(await world(archive))
    await says(romeo, 'hist', 'hist')

    expect(await archiveOf(juliet)).toEqual(['1 hist', '2 hist'])
  })

  test('is the same where one wrote to oneself', async () => {
    const [romeo] = await stage(await world(archive))
    await romeo.sends(message('hist', '', 'romeo@localhost'))
    await romeo.sends(message('hist', '', 'romeo@localhost'))

    expect(await romeo.received()).toHaveLength(1)
    expect(await archiveOf(romeo)).toEqual(['1 hist'])
  })
})

describe('a query', () => {
  test('is answered by a message for each result, with the time, and then the page', async () => {
    const [romeo, juliet] = await stage(await world(archive))
    await romeo.sends(
      "<message to='juliet@localhost' id='m1' type='chat' xml:lang='en'><body>a &lt; b</body></message>",
    )
    await juliet.received()

    const fin = await asks(juliet, '', "queryid='&lt;q&apos;'")

    expect(await received(juliet)).toEqual([expect.stringMatching(new RegExp(
      "^<message from='juliet@localhost' to='juliet@localhost/balcony'>" +
      "<result xmlns='urn:xmpp:mam:2' queryid='&lt;q&apos;' id='1'><forwarded xmlns='urn:xmpp:forward:0'>" +
      "<delay xmlns='urn:xmpp:delay' stamp='\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z'/>" +
          "<message xmlns='jabber:client' from='romeo@localhost/orchard' to='juliet@localhost' id='m1' type='chat' xml:lang='en'>" +
      '<body>a &lt; b</body></message></forwarded></result></message>$'))])
    expect(fin).toBe("<fin xmlns='urn:xmpp:mam:2' complete='true'>" +
      `<set ${RSM}><first>1</first><last>1</last><count>1</count></set></fin>`)
  })

  test('finds what the client sent just before it', async () => {
    const [romeo] = await stage(await world(archive))

    const sent = romeo.says('juliet@localhost', 'hist')
    const fin = await asks(romeo)
    await sent

    expect(fin).toContain('<count>1</count>')
    expect(numbered(String(await romeo.asks('get', `<metadata xmlns='${NS}'/>`)), romeo.session.account)).toContain(
      "id='1'",
    )
  })

  test('of an empty archive is complete', async () => {
    const [romeo] = await stage(await world(archive))

    expect(await asks(romeo)).toBe(
      `<fin xmlns='urn:xmpp:mam:2' complete='true'><set ${RSM}><count>0</count></set></fin>`,
    )
  })

  test.each([
    ['the first page', '<max>2</max>', ['1 a', '2 b'], false],
    ['the next', '<max>2</max><after>2</after>', ['3 c', '4 d'], false],
    ['the last that way', '<max>2</max><after>4</after>', ['5 e'], true],
    ['none after the end', '<max>2</max><after>5</after>', [], true],
    ['the last page', '<max>2</max><before/>', ['4 d', '5 e'], false],
    ['the one before', '<max>2</max><before>4</before>', ['2 b', '3 c'], false],
    ['the first that way', '<max>2</max><before>2</before>', ['1 a'], true],
    ['none before the start', '<max>2</max><before>1</before>', [], true],
    ['nothing but their number', '<max>0</max>', [], false],
  ] as const)('is answered with %s', async (_name, set, expected, isComplete) => {
    const [romeo] = await stage(await world(archive))
    await says(romeo, ...'abcde')

    const fin = await asks(romeo, `<set ${RSM}>${set}</set>`)

    expect(await results(romeo)).toEqual(expected)
    expect(fin.includes("complete='true'")).toBe(isComplete)
    expect(fin).toContain('<count>5</count>')
  })

  test('gets a page of a hundred where it asks for none, and of 250 at most', async () => {
    const [romeo] = await stage(await world(archive))
    await Promise.all(Array.from({ length: 260 }, () => romeo.says('juliet@localhost', 'hist')))

    const first = await asks(romeo)
    const second = await asks(romeo, `<set ${RSM}><max>1000</max></set>`)

    expect(first).toContain('<last>100</last><count>260</count>')
    expect(second).toContain('<last>250</last>')
    expect(first + second).not.toContain('complete')
  })

  test.each([
    ['with', { with: 'nurse@localhost' }, ['2 b', '4 d']],
    ['a resource', { with: 'nurse@localhost/phone' }, ['4 d']],
    ['after an id', { 'after-id': '3' }, ['4 d', '5 e']],
    ['before an id', { 'before-id': '3' }, ['1 a', '2 b']],
    ['between two', { 'after-id': '2', 'before-id': '5' }, ['3 c', '4 d']],
    ['ids', { ids: ['4', '1'] }, ['1 a', '4 d']],
    ['ids with', { ids: ['4', '1'], with: 'juliet@localhost' }, ['1 a']],
    ['a time before all', { start: '2020-01-01T00:00:00Z' }, ['1 a', '2 b', '3 c', '4 d', '5 e']],
    ['a time before all', { end: '2020-01-01T00:00:00+02:00' }, []],
    ['rooms or not', { 'include-groupchat': 'true', with: 'nurse@localhost' }, ['2 b', '4 d']],
    ['nothing in a field', { with: '', start: '', ids: [] }, ['1 a', '2 b', '3 c', '4 d', '5 e']],
  ] as const)('may be limited: %s %j', async (_name, fields, expected) => {
    const [romeo] = await stage(await world(archive))
    const says = (to: string, body: string) => romeo.says(to, body)
    await says('juliet@localhost', 'a')
    await says('nurse@localhost', 'b')
    await says('juliet@localhost', 'c')
    await says('nurse@localhost/phone', 'd')
    await says('juliet@localhost', 'e')
    await romeo.received()

    const fin = await asks(romeo, form(fields))

    expect(await results(romeo)).toEqual(expected)
    expect(fin).toContain(`complete='true'`)
    expect(fin).toContain(`<count>${expected.length}</count>`)
  })

  test('by a message\'s own time finds it', async () => {
    const [romeo] = await stage(await world(archive))
    await says(romeo, 'hist')
    await asks(romeo)
    const stamp = /stamp='([^']*)'/.exec((await romeo.received())[0] ?? '')?.[1] ?? ''

    await asks(romeo, form({ start: stamp, end: stamp }))

    expect(await results(romeo)).toEqual(['1 hist'])
  })

  test('may have its page flipped, which changes nothing but the order', async () => {
    const [romeo] = await stage(await world(archive))
    await says(romeo, ...'abcde')

    const fin = await asks(romeo, `<set ${RSM}><max>3</max><after>1</after></set><flip-page/>`)

    expect(await results(romeo)).toEqual(['4 d', '3 c', '2 b'])
    expect(fin).toContain('<first>2</first><last>4</last>')
  })

  test.each([
    [form({ 'after-id': '6' }), 'item-not-found'],
    [form({ 'before-id': '0' }), 'item-not-found'],
    [form({ ids: ['1', 'no id of ours'] }), 'item-not-found'],
    [`<set ${RSM}><after>6</after></set>`, 'item-not-found'],
    [`<set ${RSM}><before>6</before></set>`, 'item-not-found'],
    [`<set ${RSM}><index>1</index></set>`, 'feature-not-implemented'],
    [`<set ${RSM}><max>many</max></set>`, 'bad-request'],
    [form({ start: 'yesterday' }), 'bad-request'],
    [form({ end: '2026-13-01T00:00:00Z' }), 'bad-request'],
    [form({ with: '@' }), 'jid-malformed'],
    [form({ sender: 'juliet@localhost' }), 'feature-not-implemented'],
    [form({ '{urn:xmpp:fulltext:0}fulltext': 'hist' }), 'feature-not-implemented'],
    [
      "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:example</value></field></x>",
      'bad-request',
    ],
  ])('that is wrong is refused: %s', async (content, condition) => {
    const [romeo] = await stage(await world(archive))
    await says(romeo, ...'abcde')

    await expect(asks(romeo, content)).rejects.toThrow(condition)
    expect(await romeo.received()).toEqual([])
  })

  test('is for the owner alone', async () => {
    const [romeo, juliet] = await stage(await world(archive))
    await says(romeo, 'hist')
    await juliet.received()

    for (
      const [type, name] of [
        ['set', 'query'], ['get', 'query'], ['get', 'metadata'], ['get', 'prefs'], ['set', 'prefs'],
      ] as const
    ) {
      for (const owner of ['juliet@localhost', 'nobody@localhost']) {
        await expect(romeo.asks(type, `<${name} xmlns='${NS}'/>`, owner), 'as if there were one').rejects.toThrow(
          'forbidden',
        )
      }
    }
    expect(await romeo.received()).toEqual([])
  })
})

test('the form names every field that a query may have, and asks for none', async () => {
  const [romeo] = await stage(await world(archive))

  const query = String(await romeo.asks('get', `<query xmlns='${NS}'/>`))

  expect([...query.matchAll(/<field [^>]*var='([^']+)' type='([^']+)'/g)].map(([, name, type]) => `${name} ${type}`))
    .toEqual([
      'FORM_TYPE hidden', 'with jid-single', 'start text-single', 'end text-single', 'before-id text-single',
      'after-id text-single', 'ids list-multi', 'include-groupchat boolean',
    ])
  expect(query).toContain("<validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open")
  expect(query).not.toContain('required')
})

test('the metadata say where the archive begins and ends, and nothing of an empty one', async () => {
  const [romeo, juliet] = await stage(await world(archive))
  const metadata = `<metadata xmlns='${NS}'/>`

  expect(String(await romeo.asks('get', metadata))).toBe(metadata)
  await says(romeo, ...'abc')
  await juliet.received()

  expect(numbered(String(await romeo.asks('get', metadata)), romeo.session.account)).toMatch(
    /^<metadata xmlns='urn:xmpp:mam:2'><start id='1' timestamp='\d{4}-[^']*Z'\/><end id='3' timestamp='\d{4}-[^']*Z'\/><\/metadata>$/,
  )
})

test('an account with an archive says so', async () => {
  const [romeo] = await stage(await world(archive))

  const info = String(await romeo.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>"))

  expect([...info.matchAll(/<feature [^>]*var='([^']+)'/g)].map(([, name]) => name)).toEqual(expect.arrayContaining(
    ['urn:xmpp:mam:2', 'urn:xmpp:mam:2#extended', 'urn:xmpp:mam:2#groupchat-field', 'urn:xmpp:sid:0']))
})

test('a client that asks its archive is one that does without what waits', async () => {
  const [romeo, juliet] = await stage(await world(archive))

  await asks(romeo)
  await juliet.asks('get', `<query xmlns='${NS}'/>`)

  expect(romeo.session.flags.has(NS)).toBe(true)
  expect(juliet.session.flags.has(NS)).toBe(false)
})

test('addresses of any length have their messages found', async () => {
  const [romeo] = await stage(await world(archive))
  const long = `${'ab12'.repeat(250)}@localhost`
  await romeo.says(`${long}/balcony`, 'hist')
  await says(romeo, 'hist')
  await romeo.received()

  await asks(romeo, form({ with: long }))
  await asks(romeo, form({ with: `${long}/balcony` }))

  expect(await results(romeo)).toEqual(['1 hist', '1 hist'])
})
