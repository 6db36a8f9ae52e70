/** RFC 6120 §8.3.3.8: what is sent to no address is answered so that the client knows which of its stanzas it was. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PostgresDatabase } from '../storage/postgres.ts'
import { testDatabase } from '../../test/support/run/database.ts'
import { Nodes } from '../../test/support/cluster/loopback-cluster.ts'
import type { WireClient } from '../../test/support/wire/wire-client.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { storedStanza } from '../xmpp/read-stanza.ts'
import { errorReply, presence } from '../xmpp/stanza.ts'

const ROOM = 'garden@conference.localhost'
const ENTRY = "<x xmlns='http://jabber.org/protocol/muc'/>"
const LONG = 'n'.repeat(1024)

let db: PostgresDatabase
let users = 0

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())

/** A client whose session is at the node to which it is connected, or at another. */
async function clientOf (place: 'here' | 'elsewhere'): Promise<WireClient> {
  const nodes = new Nodes({ db })
  const [edge, home] = [await nodes.start('edge'), await nodes.start('home')]
  const user = `juliet${++users}`
  await nodes.addAccount(`${user}@localhost`)
  await home.client(user, 'anchor')
  return (place === 'here' ? home : edge).client(user, 'balcony')
}

const STANZAS: readonly (readonly [string, string, string])[] = [
  ['an entry to a room with an emoji', `<presence id='e' to='${ROOM}/❤️'>${ENTRY}</presence>`, `${ROOM}/❤️`],
  ['an entry with a joined emoji', `<presence id='e' to='${ROOM}/👨‍👩‍👧'>${ENTRY}</presence>`, `${ROOM}/👨‍👩‍👧`],
  ['an entry without an id', `<presence to='${ROOM}/❤️'>${ENTRY}</presence>`, `${ROOM}/❤️`],
  ['an entry without a nick', `<presence id='e' to='${ROOM}/'>${ENTRY}</presence>`, ROOM],
  [
    'an entry with a nick that is too long',
    `<presence id='e' to='${ROOM}/${LONG}'>${ENTRY}</presence>`,
    `${ROOM}/${LONG}`,
  ],
  [
    'an entry with a nick that is much too long',
    `<presence id='e' to='${ROOM}/${LONG.repeat(4)}'>${ENTRY}</presence>`,
    ROOM,
  ],
  ['a new nick', `<presence id='e' to='${ROOM}/❤️'/>`, `${ROOM}/❤️`],
  ['a farewell', `<presence id='e' type='unavailable' to='${ROOM}/❤️'/>`, `${ROOM}/❤️`],
  ['a presence of no known type', `<presence id='e' type='odd' to='${ROOM}/❤️'/>`, `${ROOM}/❤️`],
  ['a message to somebody with a space', "<message id='e' to='a b@localhost'/>", 'a b@localhost'],
  [
    'a message with what must be escaped',
    "<message id='e' to='a&amp;b&lt;&apos;@localhost'/>",
    'a&amp;b&lt;&apos;@localhost',
  ],
  ['a message to nobody at all', "<message id='e' to=''/>", ''],
  ['a message to a domain that is none', "<message id='e' to='a@b..c'/>", 'a@b..c'],
  ['a private message', `<message id='e' type='chat' to='${ROOM}/❤️'><body>hi</body></message>`, `${ROOM}/❤️`],
  ['a request', `<iq id='e' type='get' to='${ROOM}/❤️'><ping xmlns='urn:xmpp:ping'/></iq>`, `${ROOM}/❤️`],
]

describe.each(['here', 'elsewhere'] as const)('for a client whose session is %s', place => {
  test.each(STANZAS)('the error of %s comes from the address as it was written', async (_, stanza, from) => {
    const client = await clientOf(place)

    client.send(stanza)

    const [kind = ''] = /[a-z]+/.exec(stanza) ?? []
    const heard = await client.expectHeard(`</${kind}>`)
    expect(heard).toContain(`<${kind} from='${from}' `)
    expect(heard.includes(" id='e'")).toBe(stanza.includes(" id='e'"))
    expect(heard).toContain('<jid-malformed ')
    expect(heard.includes(ENTRY)).toBe(stanza.includes(ENTRY))
  })
})

test('the error can be kept and read back, as by a session that goes on at another node', () => {
  const request = presence('available', { from: Jid.parse('a@localhost/b'), to: Jid.asWritten(`${ROOM}/❤️`) })
  const kept = errorReply(request, new StanzaError('jid-malformed')).toBytes()

  expect(storedStanza(kept).toBytes()).toEqual(kept)
})
