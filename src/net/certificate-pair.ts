/** Checks a certificate and its key: the same for `heliograph check`, at a start and at a renewal. */
import { constants, createPrivateKey, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { SecureContext, SecureContextOptions } from 'node:tls'
import { toASCII } from 'tr46'
import type { CertificatePair } from './self-signed.ts'

/** RFC 9325 §4.2 for TLS 1.2; TLS 1.3 has no weak ciphers. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE+AESGCM', 'ECDHE+CHACHA20',
].join(':')

/** The first certificate of a PEM text, which is the server's own; throws where it is invalid. */
export function readCertificate (pem: string): X509Certificate {
  return new X509Certificate(pem)
}

/** The key of a PEM text; throws where it is invalid. */
export function readKey (pem: string): KeyObject {
  if (!pem.includes('ENCRYPTED')) return createPrivateKey(pem)
  throw new Error('it has a passphrase, which nobody is there to type: store it without one')
}

/** The context in which TLS serves the pair; throws where one is invalid or they do not match. */
export function usePair (pair: CertificatePair): SecureContext {
  const isMatching = readCertificate(pair.certificate).checkPrivateKey(readKey(pair.key))
  if (!isMatching) throw new Error('the key belongs to another certificate')
  return createSecureContext(contextOptions(pair))
}

/** The pair, with the versions and ciphers of TLS that the server uses. */
export function contextOptions ({ certificate, key }: CertificatePair): SecureContextOptions {
  return {
    cert: certificate,
    key,
    minVersion: 'TLSv1.2',
    // No hybrid key exchange: it costs 6 KB per connection and a fifth of the handshakes per second.
    ecdhCurve: 'X25519:P-256',
    ciphers: CIPHERS,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  }
}

/** The reasons for which clients will refuse this certificate for these hosts, as predicates of a warning. */
export function doubtsAbout (pem: string, hosts: readonly string[]): readonly string[] {
  const leaf = readCertificate(pem)
  const { validFromDate: from, validToDate: to } = leaf
  return [
    ...to.getTime() < Date.now() ? [`has expired on ${dayOf(to)}`] : [],
    ...from.getTime() > Date.now() ? [`is not valid before ${dayOf(from)}`] : [],
    ...hosts.filter(host => !names(leaf, host)).map(host => `does not name ${host}`),
  ]
}

function dayOf (date: Date): string {
  return date.toISOString().slice(0, 10)
}

function names (leaf: X509Certificate, host: string): boolean {
  const name = certificateName(host)
  return (isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name)) !== undefined
}

/** The host name in certificates and SNI: A-labels in place of U-labels, no brackets around an IPv6 address. */
export function certificateName (host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return /^[\x20-\x7e]*$/.test(bare) ? bare : toASCII(bare) ?? bare
}
