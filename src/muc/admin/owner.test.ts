/** XEP-0045 §10: a room is set up, set up otherwise, and destroyed. */
import { describe, expect, test } from 'vitest'
import {
  changes,
  configures,
  COVEN,
  enters,
  filled,
  hears,
  inside,
  leaves,
  owner,
  says,
} from '../../../test/support/world/rooms.ts'
import { world, worldWith } from '../../../test/support/world/world.ts'
import { formValues, NS_FORMS } from '../../xmpp/forms.ts'

const HAG = 'hag66@localhost/pda'
const OWNER = "xmlns='http://jabber.org/protocol/muc#owner'"

describe('a new room (§10.1)', () => {
  test('is there for others once its owner took it as it is (§10.1.2)', async () => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')
    await enters(crone, 'firstwitch')
    await crone.received()
    await crone.asks('set', `<query ${OWNER}><x xmlns='jabber:x:data' type='submit'/></query>`, COVEN)

    await inside(server, HAG, 'thirdwitch')

    expect(await hears(crone)).toEqual(['thirdwitch none/participant hag66@localhost/pda'])
  })

  test('is destroyed when its owner does not want to set it up (§10.1.3)', async () => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')
    await enters(crone, 'firstwitch')
    await crone.received()

    await crone.asks('set', `<query ${OWNER}><x xmlns='jabber:x:data' type='cancel'/></query>`, COVEN)

    expect(await hears(crone)).toEqual(['gone firstwitch none/none 110 destroyed'])
  })

  test('is destroyed when its owner leaves before', async () => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')
    await enters(crone, 'firstwitch')
    await leaves(crone, 'firstwitch')
    await crone.received()
    const hag = await server.client(HAG)

    await enters(hag, 'thirdwitch')

    expect(await hears(hag)).toContain('thirdwitch owner/moderator hag66@localhost/pda 110 201')
  })
})

describe('the form', () => {
  test('offers all that XEP-0045 §16.5.3 registers, filled in', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { roomname: 'A Dark Cave', maxusers: '50' })

    const query = await crone.asks('get', `<query ${OWNER}/>`, COVEN)

    const x = query?.getChild('x', NS_FORMS)
    const values = x && formValues(x)
    const names = [
      'allowpm',
      'allowinvites',
      'changesubject',
      'defaulthistorymessages',
      'enablelogging',
      'getmemberlist',
      'lang',
      'pubsub',
      'maxusers',
      'membersonly', 'moderatedroom', 'passwordprotectedroom', 'persistentroom', 'presencebroadcast', 'publicroom',
      'roomadmins', 'roomdesc', 'roomname', 'roomowners', 'roomsecret', 'whois']
    expect([...values?.keys() ?? []]).toEqual(
      expect.arrayContaining([...names.map(name => `muc#roomconfig_${name}`), 'muc#maxhistoryfetch']),
    )
    expect(values?.get('muc#roomconfig_roomname')).toEqual(['A Dark Cave'])
    expect(values?.get('muc#roomconfig_maxusers')).toEqual(['50'])
    expect(values?.get('muc#roomconfig_roomowners')).toEqual(['crone1@localhost'])
    expect(values?.get('muc#roomconfig_presencebroadcast')).toEqual(['moderator', 'participant', 'visitor'])
    const listed = x?.getChildren('field').filter(field => field.attrs['type']?.startsWith('list-'))
    for (const field of listed ?? [])
      expect([field.attrs['var'], field.getChildren('option').length > 1]).toEqual([field.attrs['var'], true])
  })

  test('is for owners (§10.2)', async () => {
    const server = await world()
    await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')

    await expect(hag.asks('get', `<query ${OWNER}/>`, COVEN)).rejects.toThrow('forbidden')
    await expect(configures(hag, {})).rejects.toThrow('forbidden')
    await expect(hag.asks('set', `<query ${OWNER}><destroy/></query>`, COVEN)).rejects.toThrow('forbidden')
  })

  test.each([
    ['a password that is none', { passwordprotectedroom: '1', roomsecret: '' }, 'not-acceptable'],
    ['no number', { maxusers: 'many' }, 'not-acceptable'],
    ['what can\'t be chosen', { whois: 'nobody' }, 'not-acceptable'],
    ['neither yes nor no', { membersonly: 'perhaps' }, 'not-acceptable'],
    ['no owner', { roomowners: [] }, 'conflict'],
  ])('with %s is refused, and nothing changes', async (_, values, condition) => {
    const server = await world()
    const crone = await owner(server)

    await expect(configures(crone, { roomname: 'Another', ...values })).rejects.toThrow(condition)

    const query = await crone.asks('get', `<query ${OWNER}/>`, COVEN)
    expect(query?.toString()).not.toContain('Another')
  })

  test('of another kind is refused', async () => {
    const server = await world()
    const crone = await owner(server)
    const other = filled({}).replace('muc#roomconfig', 'muc#register')

    await expect(crone.asks('set', `<query ${OWNER}>${other}</query>`, COVEN)).rejects.toThrow('bad-request')
    await expect(crone.asks('set', `<query ${OWNER}/>`, COVEN)).rejects.toThrow('bad-request')
  })

  test('that is not submitted changes nothing', async () => {
    const server = await world()
    const crone = await owner(server)

    await crone.asks('set', `<query ${OWNER}><x xmlns='jabber:x:data' type='cancel'/></query>`, COVEN)

    expect(await hears(crone)).toEqual([])
  })

  test('leaves what it does not mention as it is', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { roomname: 'A Dark Cave' })

    await configures(crone, { roomdesc: 'The place for all good witches' })

    const query = await crone.asks('get', `<query ${OWNER}/>`, COVEN)
    expect(query?.toString()).toContain('A Dark Cave')
  })

  test('lists all owners and admins: who is not on it is neither (§10.5)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')

    await configures(crone, { roomadmins: ['hag66@localhost', ''] })
    expect((await hears(hag))[0]).toMatch(/^thirdwitch admin\/moderator/)

    await configures(crone, { roomadmins: [], roomowners: ['crone1@localhost', 'hag66@localhost'] })
    expect((await hears(hag))[0]).toMatch(/^thirdwitch owner\/moderator/)

    await configures(crone, { roomowners: ['crone1@localhost'] })
    expect((await hears(hag))[0]).toMatch(/^thirdwitch member\/participant/)
  })
})

describe('a change (§10.2.1)', () => {
  test.each([
    [{ whois: 'anyone' }, ['172']], [{ enablelogging: '1' }, ['170']], [{ roomname: 'x' }, []],
  ])('to %j with which a room is set up is told its owner as %j', async (values, codes) => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')
    await enters(crone, 'firstwitch')
    await crone.received()

    await configures(crone, values)

    expect(await hears(crone)).toEqual(codes.map(code => `${COVEN} ${code}`))
  })

  test.each([
    [{ enablelogging: '1' }, '170'],
    [{ whois: 'anyone' }, '172'],
    [{ roomname: 'x' }, '104'],
    [{ enablelogging: '1', whois: 'anyone' }, '170 172'],
  ])('to %j is told as %s', async (values, codes) => {
    const server = await world()
    const crone = await owner(server)

    await configures(crone, values)

    expect(await hears(crone)).toEqual([`${COVEN} ${codes}`])
  })

  test.each([[{ enablelogging: '0' }, '171'], [{ whois: 'moderators' }, '173']])(
    'back to %j is told as %s',
    async (values, codes) => {
      const server = await world()
      const crone = await owner(server, undefined, undefined, { enablelogging: '1', whois: 'anyone' })

      await configures(crone, values)

      expect(await hears(crone)).toEqual([`${COVEN} ${codes}`])
    })

  test('to members only takes the others out (§10.2)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await configures(crone, { membersonly: '1' })

    expect(await hears(hag)).toEqual(['gone thirdwitch none/none 110 322'])
    expect(await hears(crone)).toEqual(['gone thirdwitch none/none hag66@localhost/pda 322', `${COVEN} 104`])
  })

  test('that takes out the last ends a room that does not last', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await leaves(crone, 'firstwitch')
    await crone.received()

    await configures(crone, { membersonly: '1' })
    await enters(hag, 'thirdwitch')

    expect((await hears(hag)).slice(-2)[0]).toBe('thirdwitch owner/moderator hag66@localhost/pda 110 201')
  })

  test('to a room that does not last ends it when nobody is in', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
    await leaves(crone, 'firstwitch')
    await crone.received()

    await configures(crone, { persistentroom: '0' })
    await enters(crone, 'firstwitch')

    expect((await hears(crone))[0]).toContain('201')
  })
})

test('where addresses are no secret any more, those who did not see them are told, once (§10.2.1)', async () => {
  const server = await world()
  const crone = await owner(server)
  const hag = await inside(server, HAG, 'thirdwitch')
  const wicca = await inside(server, 'wiccarocks@localhost/laptop', 'secondwitch')
  for (const client of [crone, hag]) await client.received()

  await configures(crone, { whois: 'anyone' })

  expect(await hears(hag)).toEqual([
    'coven@conference.localhost 172', 'firstwitch owner/moderator crone1@localhost/desktop',
    'secondwitch none/participant wiccarocks@localhost/laptop'])
  expect(await hears(wicca)).toHaveLength(3)
  expect(await hears(crone), 'who moderates knew them').toEqual(['coven@conference.localhost 172'])
  await configures(crone, { whois: 'moderators' })
  expect(await hears(hag)).toEqual(['coven@conference.localhost 173'])
  await crone.sends(`<presence to='${COVEN}/firstwitch'><show>away</show></presence>`)
  expect(await hears(hag)).toEqual(['firstwitch owner/moderator'])
})

test('who is not to be seen is not (§7.2.2)', async () => {
  const server = await world()
  const crone = await owner(server, undefined, undefined, {
    moderatedroom: '1',
    presencebroadcast: ['moderator', 'participant'],
  })
  const hag = await inside(server, HAG, 'thirdwitch')
  expect(await hears(crone)).toEqual([])

  await changes(crone, [{ nick: 'thirdwitch', role: 'participant' }])
  expect(await hears(crone)).toEqual(['thirdwitch none/participant hag66@localhost/pda by firstwitch'])

  await hag.received()
  await changes(crone, [{ nick: 'thirdwitch', role: 'visitor' }])
  expect(await hears(hag)).toEqual(['thirdwitch none/visitor 110 by firstwitch'])
  expect(await hears(crone)).toEqual(['gone thirdwitch none/none hag66@localhost/pda'])

  await leaves(hag, 'thirdwitch')
  expect(await hears(hag)).toEqual(['gone thirdwitch none/none 110'])
  expect(await hears(crone)).toEqual([])
})

describe('a room that is destroyed (§10.9)', () => {
  test.each([
    ['reason', `<destroy><reason>${'r'.repeat(5_000)}</reason></destroy>`],
    ['password', `<destroy><password>${'p'.repeat(5_000)}</password></destroy>`],
    ['address', `<destroy jid='${'j'.repeat(5_000)}'/>`],
  ])('is not, where the %s is longer than 4096 bytes', async (_, said) => {
    const server = await world()
    const crone = await owner(server)
    await crone.received()

    await expect(crone.asks('set', `<query ${OWNER}>${said}</query>`, COVEN)).rejects.toThrow('policy-violation')

    expect(await crone.received()).toEqual([])
    await expect(crone.asks('get', `<query ${OWNER}/>`, COVEN)).resolves.toBeDefined()
  })

  test('tells each occupant once, and why, and is gone', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await crone.asks(
      'set',
      `<query ${OWNER}><destroy jid='coven2@conference.localhost'><reason>Macbeth doth come.</reason></destroy></query>`,
      COVEN,
    )

    expect(await hears(hag)).toEqual([
      'gone thirdwitch none/none 110 destroyed coven2@conference.localhost Macbeth doth come.',
    ])
    expect(await hears(crone)).toEqual([
      'gone firstwitch none/none 110 destroyed coven2@conference.localhost Macbeth doth come.',
    ])
    await says(hag, 'hail')
    expect(await hears(hag)).toEqual(['error item-not-found'])
    expect(await server.db.query('select from room')).toEqual([])
  })
})

test('whose presence is shown no more is gone for the others, and there again when it is (§7.2.2, §10.2)', async () => {
  const server = await world()
  const crone = await owner(server)
  const hag = await inside(server, HAG, 'thirdwitch')
  await crone.received()

  await configures(crone, { presencebroadcast: ['moderator'] })
  const hidden = [await hears(crone), await hears(hag)]
  await configures(crone, { presencebroadcast: ['participant'] })
  const shown = [await hears(crone), await hears(hag)]

  expect(hidden).toEqual([
    ['gone thirdwitch none/none hag66@localhost/pda', expect.stringContaining('104')],
    [expect.stringContaining('104')],
  ])
  expect(shown).toEqual([
    ['thirdwitch none/participant hag66@localhost/pda', expect.stringContaining('104')],
    ['gone firstwitch owner/none', expect.stringContaining('104')]])
})

test('a server that ends tells who is in (§11.2)', async () => {
  const server = await world()
  const crone = await owner(server)

  await server.core.rooms.stop()

  expect(await hears(crone)).toEqual(['gone firstwitch none/none 110 332'])
})

test('a room that was set to more than the service allows by now is set to what it allows', async () => {
  const server = await worldWith({ occupants: 500, history: 50 })
  await owner(server, undefined, undefined, { persistentroom: '1', maxusers: '200' })

  const later = await (await server.restarts({ occupants: 100, history: 10 })).client('crone1@localhost/desktop')

  const query = await later.asks('get', `<query ${OWNER}/>`, COVEN)
  const x = query?.getChild('x', NS_FORMS)
  const values = x && formValues(x)
  expect([values?.get('muc#roomconfig_maxusers'), values?.get('muc#maxhistoryfetch')]).toEqual([['100'], ['10']])
})
