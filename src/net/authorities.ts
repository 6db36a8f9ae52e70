/**
 * The certificate authorities that streams between servers trust: those of Node, of the system, and of a file
 * (`federation.authorities`).
 */
import { constants, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { SecureContext } from 'node:tls'
import { contextOptions, readCertificate } from './certificate-pair.ts'
import type { CertificatePair } from './self-signed.ts'

export class Authorities {
  readonly #trusted: readonly string[]
  readonly #contexts = new WeakMap<CertificatePair, SecureContext>()
  #fingerprints: ReadonlySet<string> | undefined

  private constructor (own: readonly string[]) {
    this.#trusted = [...new Set([...getCACertificates('default'), ...getCACertificates('system'), ...own])]
  }

  /** Rejects with a sentence for an administrator when the file can't be read, or is not of certificates (PEM). */
  static async load (file?: string): Promise<Authorities> {
    return new Authorities(file === undefined ? [] : await readAuthorities(file))
  }

  /** The context that shows this pair, whoever begins the connection, and checks the other's chain. */
  contextOf (pair: CertificatePair): SecureContext {
    const made = this.#contexts.get(pair) ?? this.#make(pair)
    this.#contexts.set(pair, made)
    return made
  }

  /** Whether the certificate is itself that of an authority. */
  has (certificate: X509Certificate): boolean {
    this.#fingerprints ??= new Set(this.#trusted.map(pem => new X509Certificate(pem).fingerprint256))
    return this.#fingerprints.has(certificate.fingerprint256)
  }

  // By Node's `ca` each context would have a copy of all authorities, a megabyte, and name them all in each handshake.
  #make (pair: CertificatePair): SecureContext {
    const defaults = getCACertificates('default')
    setDefaultCACertificates(this.#trusted)
    try {
      const options = contextOptions(pair)
      // Each connection proves anew that it has the key, and that its certificate is still valid.
      const secureOptions = (options.secureOptions ?? 0) | constants.SSL_OP_NO_TICKET
      return createSecureContext({ ...options, secureOptions })
    } finally {
      setDefaultCACertificates(defaults)
    }
  }
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
