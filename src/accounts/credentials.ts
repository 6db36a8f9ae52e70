/**
 * Stored credentials: the SCRAM keys of RFC 5802 §3 for each offered hash; derives them, and verifies passwords and
 * proofs in constant time.
 */
import { createHmac, createSecretKey, hash as digest, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import saslprep from '@mongodb-js/saslprep'

export const SCRAM_HASHES = ['SHA-1', 'SHA-256', 'SHA-512'] as const
export type ScramHash = typeof SCRAM_HASHES[number]

export interface ScramKeys {
  readonly salt: Buffer
  readonly iterations: number
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

export type Credentials = Readonly<Record<ScramHash, ScramKeys>>

/** A password that is not accepted; the message tells its owner why. */
export class PasswordError extends Error {
  constructor (message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PasswordError'
  }
}

/**
 * RFC 5802 §5.1 asks for 4096 at least. A client pays for them at every login, whoever stole the keys at every guess.
 * With another number here, older accounts could be told from missing ones until their passwords change.
 */
const ITERATIONS = 10_000
const SALT_BYTES = 16
/** RFC 4616 §2: passwords of 255 bytes must be taken. SASLprep takes time for each character, and lengthens some. */
const MAX_PASSWORD_BYTES = 1024

const DIGESTS = {
  'SHA-1': { name: 'sha1', bytes: 20 },
  'SHA-256': { name: 'sha256', bytes: 32 },
  'SHA-512': { name: 'sha512', bytes: 64 },
} as const

/** Keys that a password never matches: nobody knows what hashes to them. */
const NOBODYS_KEY = randomBytes(64)

const stretch = promisify(pbkdf2)

/**
 * The keys for a new password, each with its own salt; throws a PasswordError. Derived one after the other, so that it
 * takes one of Node's four threads, which logins with PLAIN need, too.
 */
export async function deriveCredentials (password: string): Promise<Credentials> {
  const prepared = preparePassword(password)
  const derive = (hash: ScramHash): Promise<ScramKeys> =>
    deriveKeys(hash, prepared, randomBytes(SALT_BYTES), ITERATIONS)
  return { 'SHA-1': await derive('SHA-1'), 'SHA-256': await derive('SHA-256'), 'SHA-512': await derive('SHA-512') }
}

/** RFC 5802 §3, for a password that has been prepared. */
export async function deriveKeys (
  hash: ScramHash, prepared: string, salt: Buffer, iterations: number,
): Promise<ScramKeys> {
  const { name, bytes } = DIGESTS[hash]
  const salted = await stretch(prepared, salt, iterations, bytes, name)
  const storedKey = digest(name, hmac(hash, salted, 'Client Key'), 'buffer')
  return { salt, iterations, storedKey, serverKey: hmac(hash, salted, 'Server Key') }
}

/**
 * Credentials for a missing account: stable salts, as an account has, and keys that no password matches. Costs one
 * HMAC, so that it can be computed for existing accounts too.
 */
export function decoyCredentials (secret: Buffer, jid: string): Credentials {
  const salts = hmac('SHA-512', secret, `decoy salts\0${jid}`)
  return {
    'SHA-1': decoyKeys('SHA-1', salts, 0),
    'SHA-256': decoyKeys('SHA-256', salts, 1),
    'SHA-512': decoyKeys('SHA-512', salts, 2),
  }
}

function decoyKeys (hash: ScramHash, salts: Buffer, index: number): ScramKeys {
  const key = NOBODYS_KEY.subarray(0, DIGESTS[hash].bytes)
  const salt = salts.subarray(index * SALT_BYTES, (index + 1) * SALT_BYTES)
  return { salt, iterations: ITERATIONS, storedKey: key, serverKey: key }
}

/** Whether the password is the one that the credentials were derived from; costs the same for every account. */
export async function verifyPassword (credentials: Credentials, password: string): Promise<boolean> {
  let prepared: string
  try {
    prepared = preparePassword(password)
  } catch (error) { // a PasswordError: no account has such a password
    if (error instanceof PasswordError) return false
    throw error
  }
  const { salt, iterations, storedKey } = credentials['SHA-256']
  const derived = await deriveKeys('SHA-256', prepared, salt, iterations)
  return timingSafeEqual(derived.storedKey, storedKey)
}

/** RFC 5802 §3: whether who made this proof over `authMessage` knows the ClientKey. */
export function verifyProof (hash: ScramHash, keys: ScramKeys, authMessage: string, proof: Buffer): boolean {
  const { name, bytes } = DIGESTS[hash]
  if (proof.length !== bytes) return false
  const clientKey = hmac(hash, keys.storedKey, authMessage)
  for (let i = 0; i < bytes; i++) clientKey[i]! ^= proof[i]!
  return timingSafeEqual(digest(name, clientKey, 'buffer'), keys.storedKey)
}

/** RFC 5802 §3: by this the client sees that the server knows its keys. */
export function serverSignature (hash: ScramHash, keys: ScramKeys, authMessage: string): Buffer {
  return hmac(hash, keys.serverKey, authMessage)
}

/** Throws a PasswordError where nobody can have this password. */
export function checkPassword (password: string): void {
  preparePassword(password)
}

/** RFC 5802 §2.2: SASLprep (RFC 4013) for a string that is stored, so that unassigned code points are refused. */
function preparePassword (password: string): string {
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) {
    throw new PasswordError(`The password is longer than ${MAX_PASSWORD_BYTES} bytes`)
  }
  let prepared: string
  try {
    prepared = saslprep(password)
  } catch (cause) { // its verdict, as a plain Error; or a TypeError, for what becomes empty
    throw new PasswordError('The password holds what RFC 4013 forbids: a control character, a character that is '
      + 'private or newer than Unicode 3.2 (as most emoji are), or directions of writing that do not mix', { cause })
  }
  if (prepared === '') throw new PasswordError('The password is empty')
  return prepared
}

// A key as a Buffer makes createHmac four times as slow (30 µs instead of 8, Node 24): hence createSecretKey.
function hmac (hash: ScramHash, key: Buffer, data: string): Buffer {
  return createHmac(DIGESTS[hash].name, createSecretKey(key)).update(data).digest()
}
