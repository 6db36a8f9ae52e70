import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PostgresDatabase } from '../storage/postgres.ts'
import { testDatabase } from '../../test/support/run/database.ts'
import { Jid } from '../xmpp/jid.ts'
import { accountCommands } from './account-commands.ts'
import { deriveCredentials, verifyPassword } from './credentials.ts'
import { accountStore } from './store.ts'
import type { AccountStore } from './store.ts'

const romeo = Jid.parse('romeo@montague.example')
const juliet = Jid.parse('juliet@capulet.example')
let db: PostgresDatabase
let store: AccountStore

beforeAll(async () => {
  db = await testDatabase()
  store = accountStore(db)
})

afterAll(() => db.close())

describe('the store', () => {
  test('gives back what was stored, key by key', async () => {
    const credentials = await deriveCredentials('wherefore')

    await store.create(romeo, credentials)

    expect(await store.find(romeo.withResource('orchard'))).toEqual({ ...credentials, madeAt: expect.any(String) })
    expect(await store.find(juliet)).toBeUndefined()
  })

  test('makes an account once, and leaves the first one as it is', async () => {
    const before = await store.find(romeo)

    await expect(store.create(romeo, await deriveCredentials('other'))).rejects.toMatchObject({ condition: 'conflict' })
    expect(await store.find(romeo)).toEqual(before)
  })

  test('changes the credentials of an account that there is', async () => {
    const credentials = await deriveCredentials('art thou')

    expect(await store.setCredentials(romeo, credentials)).toBe(true)
    expect(await store.setCredentials(juliet, credentials)).toBe(false)
    expect(await store.find(romeo)).toEqual({ ...credentials, madeAt: expect.any(String) })
  })

  test('removes an account once', async () => {
    expect([await store.remove(romeo), await store.remove(romeo)]).toEqual([true, false])
    expect(await store.find(romeo)).toBeUndefined()
  })

  test('gives nobody a name whose account is still known to somebody, nor one that is being removed', async () => {
    const credentials = await deriveCredentials('art thou')
    const refused = expect.objectContaining({ condition: 'resource-constraint' })
    expect(await store.create(romeo, credentials).catch((error: unknown) => error)).toEqual(refused)
    await db.query('delete from former_account')
    await store.create(romeo, credentials)

    let next: Promise<unknown> | undefined
    await db.transaction(async transaction => {
      await transaction.query('delete from account where jid = $1', [romeo.toString()])
      next = store.create(romeo, credentials).catch((error: unknown) => error)
      await expect.poll(async () => (await db.query(
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")).length).toBe(1)
    })

    expect(await next).toEqual(refused)
    await db.query('delete from former_account')
  })
})

describe('an administrator', () => {
  const commands = () => accountCommands(store, ['montague.example', 'capulet.example'])

  test('adds accounts and sees them listed', async () => {
    await commands().add(romeo, 'wherefore')
    await commands().add(juliet, 'art thou')

    expect((await commands().list()).map(String)).toEqual(['juliet@capulet.example', 'romeo@montague.example'])
  })

  test('sets a password, after which the old one is none', async () => {
    await commands().setPassword(romeo, 'neither')
    const credentials = await store.find(romeo)

    if (!credentials) throw new Error('the account is gone')
    expect(await verifyPassword(credentials, 'neither')).toBe(true)
    expect(await verifyPassword(credentials, 'wherefore')).toBe(false)
  })

  test.each([
    ['an account that exists', 'romeo@montague.example', 'secret', 'conflict'],
    ['a host that is not served', 'romeo@verona.example', 'secret', 'item-not-found'],
    ['a host', 'montague.example', 'secret', 'jid-malformed'],
    ['a session', 'tybalt@capulet.example/sword', 'secret', 'jid-malformed'],
    ['an empty password', 'tybalt@capulet.example', '', 'not-acceptable'],
    ['a password that RFC 4013 forbids', 'tybalt@capulet.example', 'a\u0007b', 'not-acceptable'],
  ])('cannot add %s', async (_, jid, password, condition) => {
    await expect(commands().add(Jid.parse(jid), password)).rejects.toMatchObject({ condition })
    expect(await commands().list()).toHaveLength(2)
  })

  test('cannot remove or change an account that there is not', async () => {
    const nobody = Jid.parse('nobody@capulet.example')

    await expect(commands().remove(nobody)).rejects.toMatchObject({ condition: 'item-not-found' })
    await expect(commands().setPassword(nobody, 'secret')).rejects.toMatchObject({ condition: 'item-not-found' })
  })

  test('removes an account', async () => {
    await commands().remove(juliet)

    expect((await commands().list()).map(String)).toEqual(['romeo@montague.example'])
  })
})
