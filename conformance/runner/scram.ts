/** SCRAM-SHA-1 (RFC 5802) as a client does it: both peers and every server of the field offer it. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

export interface ScramClient {
  readonly first: string
  /** The answer to the server's challenge, and the signature by which the server must prove itself. */
  answer (challenge: string): { readonly final: string, readonly serverFinal: string }
}

export function scramSha1 (username: string, password: string): ScramClient {
  const bare = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${randomBytes(18).toString('base64')}`
  return {
    first: `n,,${bare}`,
    answer: challenge => {
      const [, nonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)/.exec(challenge) ?? []
      if (!nonce || !salt) throw new Error(`not a SCRAM challenge: ${challenge}`)
      const salted = pbkdf2Sync(password.normalize('NFKC'), Buffer.from(salt, 'base64'), Number(iterations), 20, 'sha1')
      const clientKey = hmac(salted, 'Client Key')
      const withoutProof = `c=biws,r=${nonce}`
      const message = `${bare},${challenge},${withoutProof}`
      const signature = hmac(createHash('sha1').update(clientKey).digest(), message)
      const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)))
      return {
        final: `${withoutProof},p=${proof.toString('base64')}`,
        serverFinal: `v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`,
      }
    },
  }
}

function hmac (key: Buffer, text: string): Buffer {
  return createHmac('sha1', key).update(text).digest()
}
