/** A room waits for a node that does not answer, with so much in memory and no more. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PostgresDatabase } from '../../storage/postgres.ts'
import { testDatabase } from '../../../test/support/run/database.ts'
import { Nodes } from '../../../test/support/cluster/loopback-cluster.ts'
import type { WireClient } from '../../../test/support/wire/wire-client.ts'
import { Shares } from '../../util/shares.ts'
import { Jid } from '../../xmpp/jid.ts'
import { presence } from '../../xmpp/stanza.ts'
import { MAX_BYTES, MAX_BYTES_OF_ONE, UnderWay } from './under-way.ts'

const ROOM = 'garden@conference.localhost'
const BODY = 'b'.repeat(200_000)
/** So many of these fill twice the share of one room: whose they are is counted only when more waits than one share. */
const MOST = Math.ceil(64 * 1024 * 1024 / BODY.length)

let db: PostgresDatabase

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())

async function enters (client: WireClient, nick: string, room = ROOM): Promise<void> {
  client.send(`<presence to='${room}/${nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
  await client.expectHeard('<subject')
}

async function opens (client: WireClient, room: string): Promise<void> {
  await enters(client, 'romeo', room)
  client.send(
    `<iq type='set' id='open' to='${room}'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>`,
  )
  await client.expectHeard("id='open'")
}

/** Says it to all, and gives what comes back to that. */
async function says (client: WireClient, id: string, body: string, room = ROOM): Promise<string> {
  client.send(`<message type='groupchat' id='${id}' to='${room}'><body>${body}</body></message>`)
  await client.expectHeard(` id='${id}'`)
  return client.expectHeard('</message>')
}

/** Romeo and the nurse are in a room at their own node, and Juliet's node does not answer from now on. */
async function stage () {
  const nodes = new Nodes({ db })
  const [a, b] = [await nodes.start('a'), await nodes.start('b')]
  for (const user of ['romeo', 'nurse', 'juliet']) await nodes.addAccount(`${user}@localhost`)
  const [romeo, nurse, juliet] = [
    await a.client('romeo', 'orchard'),
    await a.client('nurse', 'chamber'),
    await b.client('juliet', 'balcony'),
  ]
  await opens(romeo, ROOM)
  await enters(nurse, 'nurse')
  await enters(juliet, 'juliet')
  await romeo.expectHeard('/juliet')
  b.bus.answer('stanza', () => new Promise(() => {}))
  return { nodes, romeo, nurse }
}

async function fills (romeo: WireClient): Promise<number> {
  for (let count = 0; ; count++) {
    if ((await says(romeo, `m${count}`, BODY)).includes('<error')) return count
  }
}

test(
  'a room takes no more for all than may wait for a node that does not answer, until that node is gone',
  async () => {
    const { nodes, romeo, nurse } = await stage()
    await opens(romeo, 'hall@conference.localhost')

    const count = await fills(romeo)
    const late = await says(romeo, 'late', 'late')
    romeo.send(`<presence to='${ROOM}/romeo'><show>away</show></presence>`)
    const away = await romeo.expectHeard('</presence>')
    const elsewhere = await says(romeo, 'other', 'hail', 'hall@conference.localhost')
    nurse.send(`<presence type='unavailable' to='${ROOM}/nurse'/>`)
    await nurse.expectHeard("type='unavailable'")
    nodes.end('b')

    expect(count).toBeLessThanOrEqual(MOST)
    for (const answer of [late, away]) expect(answer).toMatch(/<error type='wait'[^>]*><resource-constraint /)
    expect(elsewhere).toContain('<body>hail</body>')
    await expect.poll(() => says(romeo, 'again', 'again'), { timeout: 20_000 }).toContain('<body>again</body>')
  }, 60_000)

test('contents that all share count once, also where occupants get the one or the other', () => {
  const shares = new Shares(MAX_BYTES, MAX_BYTES_OF_ONE)
  const underWay = new UnderWay(shares, ROOM)
  const variant = (text: string) => presence('available', {}).withWritten('x', 'urn:x', `<x xmlns='urn:x'>${text}</x>`)
  const [open, anonymous] = [variant(`a${BODY}`), variant(`b${BODY}`)]

  for (let n = 0; n < MOST; n++) {
    underWay.add((n % 2 === 0 ? open : anonymous).copyFor(Jid.parse(`witch${n}@localhost`)), Promise.resolve())
  }

  expect(shares.hasRoom(ROOM)).toBe(true)
})
