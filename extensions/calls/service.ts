/** A STUN or TURN server in the config, and credentials for it. */
import { createHash, createHmac } from 'node:crypto'
import { z } from 'zod'
import type { Jid } from '../../src/extension/api.ts'

/** RFC 7064 and RFC 7065. An IPv6 address is in brackets. */
const URI = /^(stuns?|turns?):(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/
const PORT = 3478
const TLS_PORT = 5349
const DAY = 86_400

/** What a client is told of a server. */
export interface Place {
  readonly type: string
  readonly host: string
  readonly port: number
  readonly transport: 'udp' | 'tcp'
}

export interface Service extends Place {
  /** What the server shares with this one; undefined where everybody may use it. */
  readonly secret: string | undefined
  /** For how many seconds credentials are good. */
  readonly ttl: number
}

/** `{ uri, secret, ttl }` of the config. */
export const service = z.strictObject({
  uri: z.string().transform((uri, context) => {
    const place = placeOf(uri)
    if (place) return place
    context.addIssue('expected stun:, stuns:, turn: or turns:, a host, and perhaps a port and ?transport=udp or tcp')
    return z.NEVER
  }),
  secret: z.string().min(1).optional(),
  ttl: z.int().min(60).default(DAY),
}).transform(({ uri, secret, ttl }): Service => ({ ...uri, secret, ttl }))

function placeOf (uri: string): Place | undefined {
  const match = URI.exec(uri.toLowerCase())
  if (!match) return
  const [, type = '', host = '', port, transport] = match
  const [usualPort, usualTransport] = type.endsWith('s') ? [TLS_PORT, 'tcp'] : [PORT, 'udp']
  const number = Number(port ?? usualPort)
  if (number < 1 || number > 65_535) return
  return {
    type, host: host.replace(/^\[|\]$/g, ''), port: number,
    transport: (transport ?? usualTransport) === 'tcp' ? 'tcp' : 'udp',
  }
}

export interface Credentials { readonly username: string, readonly password: string, readonly expires: Date }

/**
 * Credentials that end by themselves (draft-uberti-behave-turn-rest §2.2): the server checks them by the secret. The
 * name is the same account's each time, for the server's quotas, and does not tell which.
 */
export function credentialsFor (secret: string, ttl: number, { bare }: Jid, now = Date.now()): Credentials {
  const until = Math.floor(now / 1000) + ttl
  const who = createHash('sha256').update(`${secret}\n${bare}`).digest('hex').slice(0, 16)
  const username = `${until}:${who}`
  const password = createHmac('sha1', secret).update(username).digest('base64')
  return { username, password, expires: new Date(until * 1000) }
}
