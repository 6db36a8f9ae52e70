import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deriveKeys } from '../../accounts/credentials.ts'
import { CERTIFICATE_HASH, EXPORTED, loginContext, SECURE } from '../../../test/support/world/login-context.ts'
import { attributes, ScramClient } from '../../../test/support/wire/scram-client.ts'
import { SaslError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { Scram } from './scram.ts'
import type { ScramClientOptions } from '../../../test/support/wire/scram-client.ts'
import type { LoginContext, Step } from './exchange.ts'
import type { ScramVariant } from './scram.ts'

const USER = { digest: 'sha1', user: 'user', password: 'pencil', nonce: 'fyko+d2lbbFgONRv9qkxdawL' } as const
const UNBOUND = { hash: 'SHA-1', isBound: false } as const
const BOUND = { hash: 'SHA-1', isBound: true } as const
const EXPORTER = { header: 'p=tls-exporter,,', bindingData: EXPORTED } as const

interface Play {
  readonly variant?: ScramVariant
  readonly client?: Partial<ScramClientOptions>
  readonly context?: Partial<LoginContext>
  /** Spoils what the client signs in its last message. */
  readonly change?: (unproven: string) => string
}

async function play ({ variant = UNBOUND, client: options = {}, context = {}, change }: Play) {
  const client = new ScramClient({ ...USER, ...options })
  const exchange = new Scram(loginContext(context), variant)
  const challenge = challengeOf(await exchange.respond(client.first()))
  return { client, step: await exchange.respond(client.final(challenge, change)) }
}

function challengeOf (step: Step): Buffer {
  if (!('challenge' in step)) throw new Error('There is no challenge')
  return step.challenge
}

const DIGESTS = [['SHA-1', 'sha1'], ['SHA-256', 'sha256'], ['SHA-512', 'sha512']] as const
const WAYS = [
  ['without channel binding', false, {}],
  ['bound by tls-exporter', true, EXPORTER],
  ['bound by tls-server-end-point', true, { header: 'p=tls-server-end-point,,', bindingData: CERTIFICATE_HASH }],
] as const

describe.each(DIGESTS)('SCRAM-%s', (hash, digest) => {
  describe.each(WAYS)('%s', (_way, isBound, options) => {
    const variant = { hash, isBound }

    test('lets in who knows the password, and proves that the server knows the account', async () => {
      const { client, step } = await play({ variant, client: { digest, ...options } })

      expect(step).toEqual({
        success: { jid: Jid.parse('user@localhost'), anonymous: false },
        data: Buffer.from(client.serverFinal),
      })
    })

    test('keeps out who does not', async () => {
      const attempt = play({ variant, client: { digest, ...options, password: 'pencils' } })

      await expect(attempt).rejects.toMatchObject({ name: 'SaslError', condition: 'not-authorized' })
    })
  })
})

describe('channel binding', () => {
  test('fails where the client is bound to another connection', async () => {
    const attempt = play({ variant: BOUND, client: { ...EXPORTER, bindingData: Buffer.alloc(32) } })

    await expect(attempt).rejects.toMatchObject({ condition: 'not-authorized' })
  })

  test('fails where the client gives the data of another type', async () => {
    const attempt = play({ variant: BOUND, client: { ...EXPORTER, bindingData: CERTIFICATE_HASH } })

    await expect(attempt).rejects.toMatchObject({ condition: 'not-authorized' })
  })

  test('fails where the header in the last message is not that of the first', async () => {
    const header = Buffer.from('y,,').toString('base64')
    const attempt = play({ change: unproven => unproven.replace(/^c=[^,]*/, `c=${header}`) })

    await expect(attempt).rejects.toMatchObject({ condition: 'not-authorized' })
  })

  test.each([
    ['a type that is not offered', BOUND, 'p=tls-unique,,'],
    ['none, by a -PLUS mechanism', BOUND, 'n,,'],
    ['none for want of an offer, by a -PLUS mechanism', BOUND, 'y,,'],
    ['one, by a mechanism without -PLUS', UNBOUND, 'p=tls-exporter,,'],
  ])('is malformed that asks for %s', async (_what, variant, header) => {
    const attempt = play({ variant, client: { header } })

    await expect(attempt).rejects.toMatchObject({ condition: 'malformed-request' })
  })

  test('is malformed for a type that this connection can not give', async () => {
    const secure = { ...SECURE, exporter: () => undefined }

    const attempt = play({ variant: BOUND, client: EXPORTER, context: { secure } })

    await expect(attempt).rejects.toMatchObject({ condition: 'malformed-request' })
  })

  test('that a client believes is not offered shows that the offer was tampered with', async () => {
    const attempt = play({ client: { header: 'y,,' } })

    await expect(attempt).rejects.toMatchObject({ condition: 'not-authorized' })
  })

  test('need not be where it is not offered', async () => {
    const { step } = await play({ client: { header: 'y,,' }, context: { secure: undefined } })

    expect(step).toHaveProperty('success')
  })
})

describe('the offer', () => {
  test('is signed as in the example of XEP-0474', async () => {
    const clientNonce = '12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6'
    const nonce = `${clientNonce}a09117a6-ac50-4f2f-93f1-93799c2bddf6`
    const keys = await deriveKeys('SHA-1', 'pencil', Buffer.from('QSXCR+Q6sek8bf92', 'base64'), 4096)
    const exchange = new Scram(loginContext({
      secure: { ...SECURE, exporter: () => Buffer.from('THIS IS FAKE CB DATA') },
      offer: {
        isEncrypted: true,
        mechanisms: ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'],
        bindings: ['tls-server-end-point', 'tls-exporter'],
      },
      find: async () => ({ 'SHA-1': keys, 'SHA-256': keys, 'SHA-512': keys }),
    }), BOUND, nonce.slice(clientNonce.length))

    const challenge = await exchange.respond(Buffer.from(`p=tls-exporter,,n=user,r=${clientNonce}`))
    const step = await exchange.respond(Buffer.from(`c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,r=${nonce},`
      + 'x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4='))

    expect(challengeOf(challenge).toString())
      .toBe(`r=${nonce},s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=`)
    expect(step).toHaveProperty('data', Buffer.from('v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c='))
  })

  test('is signed with the hash of the mechanism, and without a list of bindings where none was sent', async () => {
    const exchange = new Scram(loginContext({ secure: undefined }), { hash: 'SHA-256', isBound: false })

    const challenge = challengeOf(await exchange.respond(Buffer.from('n,,n=user,r=abc')))

    const signed = createHash('sha256').update('SCRAM-SHA-1\x1eSCRAM-SHA-256\x1eSCRAM-SHA-512').digest('base64')
    expect(attributes(challenge)).toHaveProperty('h', signed)
  })
})

describe('the nonce', () => {
  test('is the client\'s with one of the server\'s, which is never the same', async () => {
    const nonces = new Set<string>()
    for (let i = 0; i < 3; i++) {
      const challenge = challengeOf(await new Scram(loginContext(), UNBOUND).respond(Buffer.from('n,,n=user,r=abc')))
      nonces.add(attributes(challenge).r!)
    }

    expect(nonces.size).toBe(3)
    for (const nonce of nonces) expect(nonce).toMatch(/^abc.{16,}$/)
  })

  test.each([
    ['is the client\'s only', (unproven: string) => unproven.replace(/r=.*/, `r=${USER.nonce}`)],
    ['is longer', (unproven: string) => `${unproven}x`],
    ['is another', (unproven: string) => unproven.replace(/.$/, '~')],
  ])('that comes back fails where it %s', async (_how, change) => {
    await expect(play({ change })).rejects.toMatchObject({ condition: 'not-authorized' })
  })

  test('makes a proof worthless for the next attempt', async () => {
    const client = new ScramClient(USER)
    const first = new Scram(loginContext(), UNBOUND)
    const proof = client.final(challengeOf(await first.respond(client.first())))
    const second = new Scram(loginContext(), UNBOUND)
    await second.respond(client.first())

    await expect(second.respond(proof)).rejects.toMatchObject({ condition: 'not-authorized' })
  })
})

describe('a user name', () => {
  test('is prepared as a local part', async () => {
    const { step } = await play({ client: { user: 'USER' } })

    expect(step).toHaveProperty('success.jid', Jid.parse('user@localhost'))
  })

  test('may hold a comma and an equals sign, written as =2C and =3D', async () => {
    const asked: string[] = []
    const context = loginContext({ find: async local => { asked.push(local); return undefined } })

    await new Scram(context, UNBOUND).respond(Buffer.from('n,,n=a=2Cb=3D2C,r=abc'))

    expect(asked).toEqual(['a,b=2c'])
  })

  test.each(['=', 'a=2c', 'a=41', 'a=2', '=3D='])('with another equals sign is malformed: %s', async user => {
    await expect(play({ client: { user } })).rejects.toMatchObject({ condition: 'malformed-request' })
  })

  test.each(['user@localhost', 'user/a', 'us er', 'a'.repeat(1024), '\u2665'])(
    'that no account can have is just not authorized: %.20s', async user => {
      await expect(play({ client: { user } })).rejects.toMatchObject({ condition: 'not-authorized' })
    })
})

describe('an authorization identity', () => {
  test.each(['user@localhost', 'USER@LOCALHOST'])('may be the account\'s own: %s', async authzid => {
    const { step } = await play({ client: { header: `n,a=${authzid},` } })

    expect(step).toHaveProperty('success')
  })

  test.each(['romeo@localhost', 'user@example.org', 'user@localhost/a', 'user', '@', 'user=40localhost'])(
    'may not be anything else: %s', async authzid => {
      const attempt = play({ client: { header: `n,a=${authzid},` } })

      await expect(attempt).rejects.toBeInstanceOf(SaslError)
    })

  test('that is another\'s is invalid', async () => {
    const attempt = play({ client: { header: 'n,a=romeo@localhost,' } })

    await expect(attempt).rejects.toMatchObject({ condition: 'invalid-authzid' })
  })

  test('is not to contradict the stream header', async () => {
    await expect(play({ context: { from: Jid.parse('romeo@localhost') } }))
      .rejects.toMatchObject({ condition: 'invalid-authzid' })
    await expect(play({ context: { from: Jid.parse('user@localhost') } })).resolves.toHaveProperty('step.success')
  })
})

describe('an account that does not exist', () => {
  test('is challenged as one that does, alike at each try', async () => {
    const challenge = async (user: string) =>
      attributes(challengeOf(await new Scram(loginContext(), UNBOUND).respond(Buffer.from(`n,,n=${user},r=abc`))))
    const real = await challenge('user')
    const missing = await challenge('romeo')

    expect(Object.keys(missing)).toEqual(Object.keys(real))
    expect(missing).toMatchObject({ i: real.i, h: real.h })
    expect(missing.s).toHaveLength(real.s!.length)
    expect(missing.r).toHaveLength(real.r!.length)
    expect((await challenge('romeo')).s).toBe(missing.s)
    expect((await challenge('Romeo')).s).toBe(missing.s)
    expect((await challenge('mercutio')).s).not.toBe(missing.s)
  })

  test('fails as a wrong password does', async () => {
    const missing = await play({ client: { user: 'romeo' } }).catch((error: unknown) => error)
    const wrong = await play({ client: { password: 'pen' } }).catch((error: unknown) => error)

    expect(missing).toBeInstanceOf(SaslError)
    expect(missing).toEqual(wrong)
  })

  test('is guessed at and counted as one that does', async () => {
    const guessed: string[] = []
    const guess: LoginContext['guess'] = async (account, compare) => {
      guessed.push(account.toString())
      return await compare()
    }
    await play({ client: { user: 'romeo' }, context: { guess } }).catch(() => undefined)
    await play({ client: { password: 'pen' }, context: { guess } }).catch(() => undefined)

    expect(guessed).toEqual(['romeo@localhost', 'user@localhost'])
  })
})

describe('a message', () => {
  test.each([
    '', ',', 'n', 'n,,', 'n,,n=user', 'n,,r=abc', 'n,,n=,r=abc', 'n,,n=user,r=', 'n,,n=user,r=a b', 'x,,n=user,r=abc',
    'p,,n=user,r=abc', 'p=,,n=user,r=abc', 'n,b=c,n=user,r=abc', 'n,a=,n=user,r=abc', 'n,,r=abc,n=user',
    'n,,n=us\0er,r=abc', 'n,,n=user,r=abc,', 'n,,n=user,r=abc,x', 'n,,n=user,r=abc,x=',
  ])('that begins an attempt is malformed: %j', async text => {
    const attempt = new Scram(loginContext(), UNBOUND).respond(Buffer.from(text))

    await expect(attempt).rejects.toMatchObject({ condition: 'malformed-request' })
  })

  test.each(['n,,m=ext,n=user,r=abc', 'n,,n=user,r=abc,m=ext', 'n,,n=user,r=abc,x=y,m=ext'])(
    'with the reserved extension fails: %s', async text => {
      const attempt = new Scram(loginContext(), UNBOUND).respond(Buffer.from(text))

      await expect(attempt).rejects.toMatchObject({ condition: 'malformed-request' })
    })

  test('may hold extensions that nobody knows', async () => {
    const step = await new Scram(loginContext(), UNBOUND).respond(Buffer.from('n,,n=user,r=abc,x=y=z,Q=1'))

    expect(step).toHaveProperty('challenge')
  })

  test('in bytes that are no UTF-8 is malformed', async () => {
    const message = Buffer.concat([Buffer.from('n,,n='), Buffer.of(0xc3, 0x28), Buffer.from(',r=abc')])

    await expect(new Scram(loginContext(), UNBOUND).respond(message))
      .rejects.toMatchObject({ condition: 'malformed-request' })
  })

  test.each([
    ['nothing', ''],
    ['no proof', 'c=biws,r=NONCE'],
    ['an empty proof', 'c=biws,r=NONCE,p='],
    ['a proof that is no base 64', 'c=biws,r=NONCE,p=A'],
    ['a proof with its padding bits set', 'c=biws,r=NONCE,p=AB=='],
    ['a binding that is no base 64', 'c=b=iws,r=NONCE,p=AAAA'],
    ['the reserved extension', 'c=biws,r=NONCE,m=x,p=AAAA'],
    ['more after the proof', 'c=biws,r=NONCE,p=AAAA,x=y'],
    ['the nonce first', 'r=NONCE,c=biws,p=AAAA'],
  ])('that ends an attempt is malformed with %s', async (_what, text) => {
    const exchange = new Scram(loginContext(), UNBOUND)
    const { r } = attributes(challengeOf(await exchange.respond(Buffer.from('n,,n=user,r=abc'))))

    await expect(exchange.respond(Buffer.from(text.replace('NONCE', r!))))
      .rejects.toMatchObject({ condition: 'malformed-request' })
  })

  test('with a proof of another length is not authorized', async () => {
    const exchange = new Scram(loginContext(), UNBOUND)
    const { r } = attributes(challengeOf(await exchange.respond(Buffer.from('n,,n=user,r=abc'))))

    await expect(exchange.respond(Buffer.from(`c=biws,r=${r},p=AAAA`)))
      .rejects.toMatchObject({ condition: 'not-authorized' })
  })

  const piece = fc.constantFrom('n', 'y', 'p=', 'tls-exporter', ',', 'a=', 'n=', 'r=', 'c=', 'm=', 'x=', '=2C', 'user',
    'biws', 'abc', '@', '\0', 'é', '=')
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 80 }).map(bytes => Buffer.from(bytes)),
    fc.array(piece, { maxLength: 12 }).map(pieces => Buffer.from(pieces.join(''))),
  )

  test('that is garbage costs the attempt and nothing else', async () => {
    await fc.assert(fc.asyncProperty(garbage, fc.boolean(), fc.boolean(), async (bytes, isBound, comesSecond) => {
      const exchange = new Scram(loginContext(), { hash: 'SHA-1', isBound })
      if (comesSecond) await exchange.respond(Buffer.from(`${isBound ? 'p=tls-exporter' : 'n'},,n=user,r=abc`))
      const outcome = await exchange.respond(bytes).catch((error: unknown) => error)

      expect(outcome).not.toHaveProperty('success')
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(SaslError)
    }), { numRuns: 500 })
  })
})
