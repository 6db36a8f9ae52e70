/**
 * The chain of a server that connects as a TLS client. OpenSSL wants its certificate to be one for clients, which the
 * public authorities no longer issue, and hides behind that whatever else is wrong. So where the purpose is what it
 * complains of, the chain is checked here (RFC 5280 §6.1), as one of a server. A chain with what is not understood
 * here (name constraints, unknown critical extensions) is not accepted.
 */
import { X509Certificate } from 'node:crypto'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import { AsnConvert } from '@peculiar/asn1-schema'
import { BasicConstraints, Certificate } from '@peculiar/asn1-x509'
import type { Authorities } from './authorities.ts'

const MAX_CERTIFICATES = 8
const MIN_RSA_BITS = 2048
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const ANY_PURPOSE = '2.5.29.37.0'
const BASIC_CONSTRAINTS = '2.5.29.19'
const NAME_CONSTRAINTS = '2.5.29.30'
/** Key usage, subject's names, basic constraints, policies, purposes. */
const UNDERSTOOD: readonly string[] = ['2.5.29.15', '2.5.29.17', BASIC_CONSTRAINTS, '2.5.29.32', '2.5.29.37']

/** OpenSSL's code for the first problem; undefined where there is none. */
export function clientChainProblem (socket: TLSSocket, authorities: Authorities): string | undefined {
  try {
    return chainProblem(chainOf(socket), authorities)
  } catch { // a certificate that can't be read
    return 'INVALID_PURPOSE'
  }
}

/** The chain as sent, each certificate before its issuer, ordered and completed by Node. */
function chainOf (socket: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = []
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (next && chain.length <= MAX_CERTIFICATES) {
    chain.push(new X509Certificate(next.raw))
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate
  }
  return chain
}

function chainProblem (chain: readonly X509Certificate[], authorities: Authorities): string | undefined {
  if (chain.length > MAX_CERTIFICATES) return 'CERT_CHAIN_TOO_LONG'
  for (const [at, certificate] of chain.entries()) {
    const issuer = chain[at + 1]
    const isTrusted = authorities.has(certificate)
    const problem = ownProblem(certificate, at) ?? (isTrusted ? undefined : issuerProblem(certificate, issuer, at))
    if (problem !== undefined || isTrusted) return problem
  }
  return 'UNABLE_TO_GET_ISSUER_CERT'
}

function ownProblem (certificate: X509Certificate, at: number): string | undefined {
  const now = Date.now()
  if (certificate.validToDate.getTime() < now) return 'CERT_HAS_EXPIRED'
  if (certificate.validFromDate.getTime() > now) return 'CERT_NOT_YET_VALID'
  if (at > 0 && !certificate.ca) return 'INVALID_CA'
  if (!isForServers(certificate)) return 'INVALID_PURPOSE'
  if ((certificate.publicKey.asymmetricKeyDetails?.modulusLength ?? MIN_RSA_BITS) < MIN_RSA_BITS) {
    return at === 0 ? 'EE_KEY_TOO_SMALL' : 'CA_KEY_TOO_SMALL'
  }
  return extensionProblem(certificate, at)
}

// Node calls the extended key usage `keyUsage`; a certificate without one is for all purposes (RFC 5280 §4.2.1.12).
function isForServers ({ keyUsage }: X509Certificate): boolean {
  const purposes: readonly string[] | undefined = keyUsage
  return purposes === undefined || purposes.includes(SERVER_AUTH) || purposes.includes(ANY_PURPOSE)
}

function extensionProblem ({ raw }: X509Certificate, at: number): string | undefined {
  for (const { extnID, critical, extnValue } of AsnConvert.parse(raw, Certificate).tbsCertificate.extensions ?? []) {
    if (extnID === NAME_CONSTRAINTS || (critical && !UNDERSTOOD.includes(extnID))) return 'INVALID_PURPOSE'
    if (extnID !== BASIC_CONSTRAINTS) continue
    const { pathLenConstraint } = AsnConvert.parse(extnValue.buffer, BasicConstraints)
    // The number of authorities between this one and the leaf (RFC 5280 §4.2.1.9).
    if (pathLenConstraint !== undefined && at - 1 > pathLenConstraint) return 'PATH_LENGTH_EXCEEDED'
  }
}

function issuerProblem (
  certificate: X509Certificate, issuer: X509Certificate | undefined, at: number,
): string | undefined {
  if (!issuer) {
    if (!certificate.checkIssued(certificate)) return 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'
    return at === 0 ? 'DEPTH_ZERO_SELF_SIGNED_CERT' : 'SELF_SIGNED_CERT_IN_CHAIN'
  }
  if (/md5|sha1(?!\d)/i.test(certificate.signatureAlgorithm ?? '')) return 'CA_MD_TOO_WEAK'
  const isSigned = certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  return isSigned ? undefined : 'CERT_SIGNATURE_FAILURE'
}
