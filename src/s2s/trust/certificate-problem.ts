/** Whether a certificate proves that a stream speaks for a domain (RFC 6120 §13.7, RFC 6125 §6, XEP-0178 §3). */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { certificateName } from '../../net/certificate-pair.ts'
import type { PeerCertificate } from '../../net/transport.ts'
import { namesOf } from './certificate-names.ts'
import type { CertificateNames } from './certificate-names.ts'
import { Jid } from '../../xmpp/jid.ts'

/** By OpenSSL's codes (X509_verify_cert_error_string). */
const PROBLEMS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has expired',
  CERT_NOT_YET_VALID: 'is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'is of an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'is of an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'is of an unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'is of an unknown authority, or comes without those between',
  CERT_SIGNATURE_FAILURE: 'has a wrong signature',
  CERT_CHAIN_TOO_LONG: 'has too long a chain',
  CERT_REVOKED: 'is revoked',
  INVALID_PURPOSE: 'is not for servers',
}

/** How many of its names are told of a certificate that is for other domains, and how long one may be. */
const TOLD_NAMES = 3
const TOLD_NAME = /^[a-z0-9_*.-]{1,100}$/i

/**
 * Why the certificate does not prove the domain (prepared), as a predicate of "the certificate": `has expired`, `is for
 * a.example, not for b.example`; undefined where it does. A common name proves nothing (RFC 9525 §2). Never throws.
 */
export function certificateProblem (peer: PeerCertificate | undefined, domain: string): string | undefined {
  if (peer === undefined) return 'is missing'
  if (peer.problem !== undefined) return PROBLEMS[peer.problem] ?? `is not trusted (${peer.problem})`
  try {
    if (isHost(peer.certificate, domain)) return undefined
    const names = namesOf(peer.certificate)
    return isNamed(names, domain) ? undefined : isForOthers(names, domain)
  } catch {
    return "can't be read"
  }
}

/** DNS-ID, by OpenSSL: a wildcard is a whole label, the left-most. For an address literal, an IP address. */
function isHost (der: Buffer, domain: string): boolean {
  const certificate = new X509Certificate(der)
  const name = certificateName(domain)
  if (isIP(name)) return certificate.checkIP(name) !== undefined
  return certificate.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined
}

/** SRV-ID (RFC 4985) and XmppAddr (RFC 6120 §13.7.1.4). */
function isNamed ({ services, addresses }: CertificateNames, domain: string): boolean {
  const service = `_xmpp-server.${certificateName(domain)}`
  return services.some(name => name.toLowerCase() === service)
    || addresses.some(text => Jid.tryParse(text)?.toString() === domain)
}

function isForOthers ({ hosts, services, addresses }: CertificateNames, domain: string): string {
  const told = [...hosts, ...services, ...addresses].filter(name => TOLD_NAME.test(name)).slice(0, TOLD_NAMES)
  return told.length === 0 ? `does not name ${domain}` : `is for ${told.join(', ')}, not for ${domain}`
}
