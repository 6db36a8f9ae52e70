/**
 * RFC 5802: the client's half of SCRAM-SHA-1. The keys of an account are derived once per process: PBKDF2 is the
 * client's work, and would measure the load generator.
 */
import { createHash, createHmac, pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'

export interface Account { readonly name: string, readonly password: string }

interface Keys { readonly client: Buffer, readonly stored: Buffer, readonly server: Buffer }

const derive = promisify(pbkdf2)
const known = new Map<string, Keys>()
let nonces = 0

/** Runs one exchange: `say` sends a message and resolves with the server's next one, both without base64. */
export async function scramSha1 (account: Account, say: (message: string) => Promise<string>): Promise<void> {
  const first = `n=${account.name},r=bench${process.pid}.${nonces++}`
  const challenge = await say(`n,,${first}`)
  const fields = new Map(challenge.split(',').map(field => [field[0], field.slice(2)]))
  const keys = await keysOf(account, fields.get('s') ?? '', Number(fields.get('i')))
  const last = `c=biws,r=${fields.get('r')}`
  const signed = `${first},${challenge},${last}`
  const proof = hmac(keys.stored, signed).map((byte, at) => byte ^ (keys.client[at] ?? 0))
  const success = await say(`${last},p=${Buffer.from(proof).toString('base64')}`)
  const signature = hmac(keys.server, signed).toString('base64')
  if (success !== `v=${signature}`) throw new Error('the server does not know the password')
}

async function keysOf (account: Account, salt: string, iterations: number): Promise<Keys> {
  const name = `${account.name}\0${salt}\0${iterations}`
  const found = known.get(name)
  if (found) return found
  const salted = await derive(account.password, Buffer.from(salt, 'base64'), iterations, 20, 'sha1')
  const client = hmac(salted, 'Client Key')
  const stored = createHash('sha1').update(client).digest()
  const keys = { client, stored, server: hmac(salted, 'Server Key') }
  known.set(name, keys)
  return keys
}

function hmac (key: Buffer, text: string): Buffer {
  return createHmac('sha1', key).update(text).digest()
}
