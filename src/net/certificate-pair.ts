/** What makes a certificate and its key fit to serve: the same for `check`, at a start and at a renewal. */
import { constants, createPrivateKey, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { SecureContext } from 'node:tls'
import { toASCII } from 'tr46'
import type { CertificatePair } from './self-signed.ts'

/** RFC 9325 §4.2 for TLS 1.2; TLS 1.3 has no weak ones. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE+AESGCM', 'ECDHE+CHACHA20',
].join(':')

/** The server's own certificate of a PEM text, which is the first; throws what is wrong with it. */
export function readCertificate (pem: string): X509Certificate {
  return new X509Certificate(pem)
}

/** The key of a PEM text; throws what is wrong with it. */
export function readKey (pem: string): KeyObject {
  if (pem.includes('ENCRYPTED')) throw new Error('it has a passphrase, which nobody is there to type: store it without one')
  return createPrivateKey(pem)
}

/** What TLS serves the pair with; throws what is wrong with it. */
export function usePair ({ certificate, key }: CertificatePair): SecureContext {
  if (!readCertificate(certificate).checkPrivateKey(readKey(key))) throw new Error('the key belongs to another certificate')
  return createSecureContext({
    cert: certificate,
    key,
    minVersion: 'TLSv1.2',
    // Without the hybrid key exchange: it costs 6 KB a connection and a fifth of the handshakes.
    ecdhCurve: 'X25519:P-256',
    ciphers: CIPHERS,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  })
}

/** Why clients will refuse this certificate for these hosts, in the words of a warning. */
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

/** As certificates and SNI have it: A-labels where an address has U-labels, no brackets around an IPv6 address. */
export function certificateName (host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return /^[\x20-\x7e]*$/.test(bare) ? bare : toASCII(bare) ?? bare
}
