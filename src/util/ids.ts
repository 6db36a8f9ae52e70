/** Unguessable identifiers. */
import { randomBytes } from 'node:crypto'

const POOL_BYTES = 4096
const ID_BYTES = 15
let pool = Buffer.alloc(0)
let used = 0

/** 120 random bits as 20 characters that need no escaping in an attribute or a URL. */
export function randomId (): string {
  if (used + ID_BYTES > pool.length) {
    pool = randomBytes(POOL_BYTES)
    used = 0
  }
  used += ID_BYTES
  return pool.toString('base64url', used - ID_BYTES, used)
}
