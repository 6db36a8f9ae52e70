import { describe, expect, test } from 'vitest'
import {
  decoyCredentials, deriveCredentials, deriveKeys, PasswordError, SCRAM_HASHES, serverSignature, verifyPassword,
  verifyProof,
} from './credentials.ts'

const VECTORS = [
  { // RFC 5802 §5
    hash: 'SHA-1',
    salt: 'QSXCR+Q6sek8bf92',
    authMessage: 'n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,'
      + 's=QSXCR+Q6sek8bf92,i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j',
    proof: 'v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    signature: 'rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
  { // RFC 7677 §3
    hash: 'SHA-256',
    salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
    authMessage: 'n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,'
      + 's=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
    proof: 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    signature: '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
] as const

describe.each(VECTORS)('the published example of SCRAM-$hash', ({ hash, salt, authMessage, proof, signature }) => {
  const keys = deriveKeys(hash, 'pencil', Buffer.from(salt, 'base64'), 4096)

  test('has a proof that is accepted', async () => {
    expect(verifyProof(hash, await keys, authMessage, Buffer.from(proof, 'base64'))).toBe(true)
  })

  test('has the signature that the server makes', async () => {
    expect(serverSignature(hash, await keys, authMessage).toString('base64')).toBe(signature)
  })

  test('has a proof that is good for its messages only', async () => {
    expect(verifyProof(hash, await keys, `${authMessage},x=1`, Buffer.from(proof, 'base64'))).toBe(false)
  })

  test('has a proof that is refused with a byte more or less', async () => {
    const bytes = Buffer.from(proof, 'base64')

    expect(verifyProof(hash, await keys, authMessage, bytes.subarray(1))).toBe(false)
    expect(verifyProof(hash, await keys, authMessage, Buffer.concat([bytes, Buffer.of(0)]))).toBe(false)
    expect(verifyProof(hash, await keys, authMessage, Buffer.alloc(0))).toBe(false)
  })
})

describe('a password', () => {
  test('is the one that the credentials were derived from, or it is not', async () => {
    const credentials = await deriveCredentials('pencil')

    expect(await verifyPassword(credentials, 'pencil')).toBe(true)
    expect(await verifyPassword(credentials, 'Pencil')).toBe(false)
    expect(await verifyPassword(credentials, '')).toBe(false)
  })

  test.each(['p', '\u00DF', '\uFDFA'])('is refused where it is longer than 1024 bytes: many %s', async character => {
    const longest = character.repeat(Math.floor(1024 / Buffer.byteLength(character)))
    const credentials = await deriveCredentials(longest)

    await expect(deriveCredentials(longest + character)).rejects.toThrow('The password is longer than 1024 bytes')
    expect(await verifyPassword(credentials, longest)).toBe(true)
    expect(await verifyPassword(credentials, longest + character)).toBe(false)
  })

  test('is prepared by SASLprep', async () => {
    const credentials = await deriveCredentials('I\u00ADX \u2168')

    expect(await verifyPassword(credentials, 'IX\u00A0IX')).toBe(true)
  })

  test.each([
    ['a control character', 'pen\u0007cil'],
    ['an unassigned code point', 'pencil \u{1F58D}'],
    ['directions that do not mix', '\u0627\u0031'],
  ])('with %s is refused in words, and matches nothing', async (_what, password) => {
    await expect(deriveCredentials(password)).rejects.toThrow(PasswordError)
    await expect(deriveCredentials(password)).rejects.toThrow(/RFC 4013/)
    expect(await verifyPassword(await deriveCredentials('pencil'), password)).toBe(false)
  })

  test('that is empty, or becomes so, is refused', async () => {
    await expect(deriveCredentials('')).rejects.toThrow(/empty/)
    await expect(deriveCredentials('\u00AD')).rejects.toThrow(PasswordError)
  })

  test('leaves other keys in every account that has it', async () => {
    const [one, other] = await Promise.all([deriveCredentials('pencil'), deriveCredentials('pencil')])

    for (const hash of SCRAM_HASHES) {
      expect(one[hash].salt).not.toEqual(other[hash].salt)
      expect(one[hash].storedKey).not.toEqual(other[hash].storedKey)
      expect(one[hash].storedKey).not.toEqual(one[hash].serverKey)
    }
  })
})

describe('an account that is missing', () => {
  const secret = Buffer.alloc(32, 7)

  test('has keys in the shape of an account that is there', async () => {
    const real = await deriveCredentials('pencil')
    const decoy = decoyCredentials(secret, 'juliet@localhost')

    for (const hash of SCRAM_HASHES) {
      expect(decoy[hash].iterations).toBe(real[hash].iterations)
      for (const part of ['salt', 'storedKey', 'serverKey'] as const) {
        expect(decoy[hash][part]).toHaveLength(real[hash][part].length)
      }
    }
  })

  test('has the same salts at every try, and others than other accounts, hashes and servers', () => {
    const salts = (key: Buffer, jid: string): string[] =>
      Object.values(decoyCredentials(key, jid)).map(({ salt }) => salt.toString('hex'))
    const juliet = salts(secret, 'juliet@localhost')

    expect(salts(secret, 'juliet@localhost')).toEqual(juliet)
    const all = [...juliet, ...salts(secret, 'romeo@localhost'), ...salts(Buffer.alloc(32, 8), 'juliet@localhost')]
    expect(new Set(all).size).toBe(9)
  })

  test('has no password', async () => {
    expect(await verifyPassword(decoyCredentials(secret, 'juliet@localhost'), 'pencil')).toBe(false)
  })
})
