/** An account for which more waits than fits anywhere: it logs in, and nobody else notices. */
import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { openPostgres } from '../../src/storage/postgres.ts'
import { startPostgres } from '../faults/postgres.ts'
import { Installation, OPEN } from '../server/installation.ts'
import { until } from '../server/until.ts'
import { Peer } from './peer.ts'

const MANY = 200_000
const ENABLE = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"

let home: Installation

afterEach(() => home.remove())

test(
  'an account with very many undelivered messages logs in again and again, and neither the server nor anybody else is hurt',
  async () => {
    await using postgres = await startPostgres()
    home = await Installation.make({ ...OPEN, database: postgres.url })
    const before = await home.start()
    await Peer.logIn(home.direct, 'juliet/balcony')
    await before.stop()
    await insert(postgres.url)
    const server = await home.start()
    const nurse = await Peer.logIn(home.direct, 'nurse/room')

    for (let login = 0; login < 3; login++) {
      const juliet = await Peer.logIn(home.direct, 'juliet/balcony', false)
      void juliet.send(`${ENABLE}<presence/>`)
      const first = await until(() => juliet.next(), ({ name }) => name === 'message')
      expect(first.children[0]?.text).toBe('1')
      juliet.destroy()
      await nurse.expectPong()
    }

    server.kill('SIGTERM')
    expect(await server.ended()).toBe(0)
  }, 120_000)

async function insert (url: string): Promise<void> {
  const db = await openPostgres(url, { poolSize: 1, log: pino({ level: 'silent' }) })
  await db.query(`insert into archive_message (owner, seq, peer, is_sent, sent_at, stanza)
    select 'juliet@localhost', n, 'nurse@localhost', false, 0,
      '<message xmlns="jabber:client" from="nurse@localhost/room" to="juliet@localhost" type="chat"><body>' || n || '</body></message>'
    from generate_series(1, ${MANY}) as n`)
  await db.close()
}
