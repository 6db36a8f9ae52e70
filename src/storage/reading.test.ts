import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testSchema } from '../../test/support/run/database.ts'
import { Jid } from '../xmpp/jid.ts'
import { openPostgres } from './postgres.ts'
import type { PostgresDatabase } from './postgres.ts'
import { Reading } from './reading.ts'

const ROMEO = Jid.parse('romeo@localhost/orchard')
const JULIET = Jid.parse('juliet@localhost/balcony')

let db: PostgresDatabase

beforeAll(async () => {
  db = await openPostgres(await testSchema(), { poolSize: 3, statementMs: 50, log: pino({ level: 'silent' }) })
})
afterAll(() => db.close())

test('what takes the database too long is refused, and the connection is free again', async () => {
  const reading = new Reading(db)

  const slow = reading.for(ROMEO, one => one.query('select pg_sleep(600)'))

  await expect(slow).rejects.toMatchObject({ condition: 'policy-violation', type: 'modify' })
  expect(await reading.for(ROMEO, one => one.query('select 1 as n'))).toEqual([{ n: 1 }])
})

test('what is too complex for the database is refused', async () => {
  const reading = new Reading(db)

  const deep = reading.for(ROMEO, one => one.query('select $1::json', ['['.repeat(100_000)]))

  await expect(deep).rejects.toMatchObject({ condition: 'policy-violation' })
})

test('another error is not the asker\'s', async () => {
  const reading = new Reading(db)

  await expect(reading.for(ROMEO, one => one.query('select nothing'))).rejects.toMatchObject({ code: '42703' })
})

test('who asks for too much is told to wait, whichever session it is, and nobody else', async () => {
  const held = Promise.withResolvers<readonly []>()
  const reading = new Reading(db)
  const ask = (): Promise<readonly []> => held.promise
  const asked = Array.from({ length: 65 }, (_, n) => reading.for(Jid.parse(`romeo@localhost/${n}`), ask))

  const refused = reading.for(ROMEO, ask)
  const others = reading.for(JULIET, ask)

  await expect(refused).rejects.toMatchObject({ condition: 'resource-constraint', type: 'wait' })
  held.resolve([])
  expect(await Promise.all([...asked, others])).toHaveLength(66)
})
