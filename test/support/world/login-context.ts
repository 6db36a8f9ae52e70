/** What a login needs of its stream, for tests: one host, one account (`user`, `pencil`), with or without TLS. */
import { deriveCredentials } from '../../../src/accounts/credentials.ts'
import { makeOffer } from '../../../src/stream/sasl/mechanisms.ts'
import type { SecureInfo } from '../../../src/net/transport.ts'
import type { LoginContext } from '../../../src/stream/sasl/exchange.ts'

export const EXPORTED = Buffer.alloc(32, 0xe0)
export const CERTIFICATE_HASH = Buffer.alloc(32, 0xce)

/** A connection that can be bound in both ways. */
export const SECURE: SecureInfo = {
  protocol: 'TLSv1.3',
  sni: 'localhost',
  peer: undefined,
  exporter: () => EXPORTED,
  unique: () => undefined,
  serverEndPoint: () => CERTIFICATE_HASH,
}

const credentials = await deriveCredentials('pencil')

/** On an encrypted stream unless `secure` is given as undefined. */
export function loginContext (changes: Partial<LoginContext> = {}): LoginContext {
  const secure = 'secure' in changes ? changes.secure : SECURE
  return {
    domain: 'localhost',
    from: undefined,
    offer: makeOffer({ secure, isEncrypted: secure !== undefined, allowsAnonymous: false }),
    secret: Buffer.alloc(32, 1),
    find: async local => local === 'user' ? credentials : undefined,
    guess: async (_account, compare) => await compare(),
    ...changes,
    secure,
  }
}
