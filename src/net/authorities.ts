/**
 * The certificate authorities that streams between servers trust: those of Node, of the system, and of a file
 * (`federation.authorities`).
 */
import { constants } from 'node:crypto'
import type { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { SecureContext } from 'node:tls'
import { contextOptions, readCertificate } from './certificate-pair.ts'
import type { CertificatePair } from './self-signed.ts'

export class Authorities {
  readonly #trusted: readonly string[]
  readonly #contexts = new WeakMap<CertificatePair, SecureContext>()
  readonly #fingerprints: ReadonlySet<string>

  private constructor (own: readonly string[]) {
    this.#trusted = [...new Set([...getCACertificates('default'), ...getCACertificates('system'), ...own])]
    this.#fingerprints = new Set(this.#trusted.map(pem => readCertificate(pem).fingerprint256))
  }

  /** Rejects with a sentence for an administrator when the file can't be read, or is not of certificates (PEM). */
  static async load (file?: string): Promise<Authorities> {
    return new Authorities(file === undefined ? [] : await readAuthorities(file))
  }

  /** The context that shows this pair, whoever begins the connection, and checks the other's chain. */
  contextOf (pair: CertificatePair): SecureContext {
    this.prepare([pair])
    return this.#contexts.get(pair)!
  }

  /** Makes the contexts of these pairs where they are missing, which takes some 50 ms for all. */
  prepare (pairs: readonly CertificatePair[]): void {
    const missing = pairs.filter(pair => !this.#contexts.has(pair))
    if (missing.length === 0) return
    // By Node's `ca` each context would have a copy of all authorities, a megabyte, and name them in each handshake.
    const defaults = getCACertificates('default')
    setDefaultCACertificates(this.#trusted)
    try {
      for (const pair of missing) this.#contexts.set(pair, contextFor(pair))
    } finally {
      setDefaultCACertificates(defaults)
    }
  }

  /** Whether the certificate is itself that of an authority. */
  has (certificate: X509Certificate): boolean {
    return this.#fingerprints.has(certificate.fingerprint256)
  }
}

function contextFor (pair: CertificatePair): SecureContext {
  const options = contextOptions(pair)
  // Each connection proves anew that it has the key, and that its certificate is still valid.
  return createSecureContext({ ...options, secureOptions: (options.secureOptions ?? 0) | constants.SSL_OP_NO_TICKET })
}

async function readAuthorities (file: string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${file} can not be read (${error.code ?? error.message})`)
  })
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (found.length === 0) throw new Error(`${file} has no certificates in PEM format`)
  try {
    for (const pem of found) readCertificate(pem)
  } catch {
    throw new Error(`${file} has a damaged certificate`)
  }
  return found
}
