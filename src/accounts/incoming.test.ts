/** What reaches an account while nobody can tell where its home is. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { PostgresDatabase } from '../storage/postgres.ts'
import { testDatabase } from '../../test/support/run/database.ts'
import { Nodes } from '../../test/support/cluster/loopback-cluster.ts'
import { el } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { message } from '../xmpp/stanza.ts'

const JULIET = Jid.parse('juliet@localhost/balcony')
const COPIES = 20

let db: PostgresDatabase

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())
beforeEach(() => { vi.useFakeTimers({ toFake: ['performance'] }) })
afterEach(() => { vi.useRealTimers() })

test('what a room says waits a minute from when it came, however much waits before it', async () => {
  const node = await new Nodes({ db }).start('a')
  let attempts = 0
  node.homes.claim = () => {
    attempts++
    return Promise.reject(new StanzaError('remote-server-timeout'))
  }
  const said = message(
    'groupchat',
    { from: Jid.parse('room@conference.localhost/romeo') },
    el('body', undefined, {}, 'hail'),
  )

  const waiting = Array.from({ length: COPIES }, async () => node.core.incoming.receive(said.copyFor(JULIET)))
  vi.advanceTimersByTime(61_000)
  const outcomes = await Promise.allSettled(waiting)

  expect(outcomes.map(({ status }) => status)).toEqual(waiting.map(() => 'rejected'))
  expect(attempts).toBeLessThanOrEqual(COPIES + 1)
})
