import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loginContext } from '../../../test/support/world/login-context.ts'
import { SaslError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { plain } from './plain.ts'

const logIn = async (message: string | Buffer, from?: string) =>
  await plain(loginContext({ from: from === undefined ? undefined : Jid.parse(from) })).respond(Buffer.from(message))

describe('PLAIN', () => {
  test.each(['\0user\0pencil', 'user@localhost\0user\0pencil', '\0USER\0pencil', '\0user\0pen\u00ADcil'])(
    'lets in who knows the password: %j', async message => {
      expect(await logIn(message)).toEqual({ success: { jid: Jid.parse('user@localhost'), anonymous: false } })
    })

  test.each([
    ['a wrong password', '\0user\0Pencil'],
    ['a password that nobody can have', '\0user\0pen\u0007cil'],
    ['an account that is missing', '\0romeo\0pencil'],
    ['a name that no account can have', '\0user@localhost\0pencil'],
    ['an empty local part in disguise', '\0/\0pencil'],
  ])('keeps out %s', async (_what, message) => {
    await expect(logIn(message)).rejects.toEqual(new SaslError('not-authorized'))
  })

  test.each(['romeo@localhost', 'user@localhost/a', 'user', 'user@example.org', '@@'])(
    'lets nobody act as another: %s', async authzid => {
      await expect(logIn(`${authzid}\0user\0pencil`)).rejects.toMatchObject({ condition: 'invalid-authzid' })
    })

  test('lets nobody in whom the stream header calls otherwise', async () => {
    await expect(logIn('\0user\0pencil', 'romeo@localhost')).rejects.toMatchObject({ condition: 'invalid-authzid' })
    expect(await logIn('\0user\0pencil', 'user@localhost')).toHaveProperty('success')
  })

  test.each([
    '', '\0', '\0\0', 'user', 'user\0pencil', '\0user', '\0user\0', '\0\0pencil', '\0user\0pencil\0',
    '\0user\0pen\0cil',
  ])(
    'is malformed: %j', async message => {
      await expect(logIn(message)).rejects.toMatchObject({ condition: 'malformed-request' })
    })

  test('is malformed in bytes that are no UTF-8', async () => {
    const message = Buffer.concat([Buffer.from('\0user\0'), Buffer.of(0xff)])

    await expect(logIn(message)).rejects.toMatchObject({ condition: 'malformed-request' })
  })

  test('asks for a guess before it compares', async () => {
    const context = loginContext({ guess: async () => { throw new SaslError('temporary-auth-failure') } })

    await expect(plain(context).respond(Buffer.from('\0user\0pencil')))
      .rejects.toMatchObject({ condition: 'temporary-auth-failure' })
  })

  test('refuses garbage and does not trip over it', async () => {
    const piece = fc.constantFrom('\0', 'user', 'pen', '@', '/', 'é', ' ')
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)),
      fc.array(piece, { maxLength: 8 }).map(pieces => Buffer.from(pieces.join(''))),
    )

    await fc.assert(fc.asyncProperty(garbage, async bytes => {
      await expect(logIn(bytes)).rejects.toBeInstanceOf(SaslError)
    }), { numRuns: 200 })
  })
})
