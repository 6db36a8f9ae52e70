/** What is no stanza is about the stream, and short. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import type { PostgresDatabase } from '../storage/postgres.ts'
import { testDatabase } from '../../test/support/run/database.ts'
import { Nodes } from '../../test/support/cluster/loopback-cluster.ts'

let db: PostgresDatabase

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())

test('an element that is no stanza, and as large as one, ends the stream', async () => {
  const nodes = new Nodes({ db, extensions: [streamManagement] })
  const server = await nodes.start('server')
  await nodes.addAccount('romeo@localhost')
  const romeo = await server.client('romeo', 'orchard')

  romeo.send(`<r xmlns='urn:xmpp:sm:3'>${'<a/>'.repeat(5_000)}</r>`)

  expect(await romeo.expectHeard('</stream:stream>')).toContain('<policy-violation')
})
