/**
 * The certificates of the hosts: given as files, or self-signed once where none is given. Files are watched, and a
 * renewed certificate is taken over without a restart once it and its key fit together; until then the old one serves.
 */
import { constants, createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { SecureContext } from 'node:tls'
import { toASCII } from 'tr46'
import type { Logger } from '../log.ts'
import { FileWatch } from './file-watch.ts'
import { makeSelfSigned } from './self-signed.ts'
import type { CertificatePair } from './self-signed.ts'

export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

export interface CertificateOptions {
  /** The domains served, as they stand in addresses. */
  readonly hosts: readonly string[]
  /** The folder where a self-signed certificate is kept. */
  readonly data: string
  /** For every host that has none of its own. */
  readonly files?: CertificateFiles | undefined
  readonly filesOf?: Readonly<Record<string, CertificateFiles>> | undefined
  readonly log: Logger
}

interface Loaded extends CertificatePair {
  readonly files: CertificateFiles
  readonly context: SecureContext
}

/** RFC 9325 §4.2 for TLS 1.2; TLS 1.3 has no weak ones. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE+AESGCM', 'ECDHE+CHACHA20',
].join(':')

/** All certificates of the server, the newest of each. */
export class Certificates {
  readonly #log: Logger
  readonly #watch: FileWatch
  readonly #default: string
  readonly #fileOf = new Map<string, string>()
  readonly #loaded = new Map<string, Loaded>()

  private constructor (options: CertificateOptions, files: CertificateFiles) {
    this.#log = options.log
    this.#default = files.certificate
    this.#watch = new FileWatch(() => this.reload(), options.log)
  }

  /** Rejects with a sentence for an administrator when a file is missing or a key does not fit. */
  static async load (options: CertificateOptions): Promise<Certificates> {
    const files = options.files ?? ownOfFirst(options) ?? await selfSignedFiles(options)
    const certificates = new Certificates(options, files)
    await certificates.#add(files)
    for (const [host, own] of Object.entries(options.filesOf ?? {})) {
      certificates.#fileOf.set(certificateName(host), own.certificate)
      await certificates.#add(own)
    }
    for (const host of options.hosts) certificates.#warnOfForeign(host)
    return certificates
  }

  /** The certificate of this host: its own, or the one for all. */
  contextFor (host: string): SecureContext {
    return this.find(certificateName(host)) ?? this.#context(this.#default)
  }

  /** The certificate of the host that a client names by SNI, or of the host that the named service belongs to. */
  find (name: string): SecureContext | undefined {
    const host = name.toLowerCase()
    const file = this.#fileOf.get(host) ?? this.#fileOf.get(host.slice(host.indexOf('.') + 1))
    return file === undefined ? undefined : this.#context(file)
  }

  /** Reads all files again and takes over those that changed; a pair that does not fit is logged, and the old stays. */
  async reload (): Promise<void> {
    for (const old of this.#loaded.values()) {
      try {
        const pair = await readPair(old.files)
        if (pair.certificate === old.certificate && pair.key === old.key) continue
        this.#loaded.set(old.files.certificate, loadPair(old.files, pair))
        this.#log.info({ certificate: old.files.certificate }, 'the renewed certificate is in use')
      } catch (err) {
        // A file that is missing, half written or does not fit yet: the other half of a renewal may be under way.
        this.#log.warn({ err, certificate: old.files.certificate }, 'the changed certificate is not used')
      }
    }
    await this.#watch.renew()
  }

  /** Stops watching. */
  close (): void {
    this.#watch.close()
  }

  async #add (files: CertificateFiles): Promise<void> {
    if (!this.#loaded.has(files.certificate)) {
      this.#loaded.set(files.certificate, loadPair(files, await readPair(files)))
    }
    await this.#watch.add(files.certificate, files.key)
  }

  #context (file: string): SecureContext {
    const loaded = this.#loaded.get(file)
    if (!loaded) throw new Error(`no certificate was loaded from ${file}`)
    return loaded.context
  }

  #warnOfForeign (host: string): void {
    const file = this.#fileOf.get(certificateName(host)) ?? this.#default
    const leaf = new X509Certificate(this.#loaded.get(file)?.certificate ?? '')
    if (!names(leaf, host)) this.#log.warn({ host, certificate: file }, 'the certificate does not name this host')
    if (hasExpired(leaf)) this.#log.warn({ host, certificate: file }, 'the certificate has expired')
  }
}

// Where each host has its own, nothing is made: a client that names none of them gets the first host's.
function ownOfFirst ({ hosts, filesOf = {} }: CertificateOptions): CertificateFiles | undefined {
  const [first] = hosts
  return first !== undefined && hosts.every(host => filesOf[host]) ? filesOf[first] : undefined
}

async function readPair (files: CertificateFiles): Promise<CertificatePair> {
  return { certificate: await readPem(files.certificate), key: await readPem(files.key) }
}

async function readPem (file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${file} can not be read (${error.code ?? error.message})`)
  })
}

function loadPair (files: CertificateFiles, pair: CertificatePair): Loaded {
  try {
    if (!new X509Certificate(pair.certificate).checkPrivateKey(createPrivateKey(pair.key))) {
      throw new Error('the key belongs to another certificate')
    }
    return { ...pair, files, context: secureContext(pair) }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`${files.certificate} and ${files.key} do not fit together: ${reason}`)
  }
}

function secureContext ({ certificate, key }: CertificatePair): SecureContext {
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

async function selfSignedFiles ({ data, hosts, log }: CertificateOptions): Promise<CertificateFiles> {
  const files = { certificate: join(data, 'tls-self-signed-cert.pem'), key: join(data, 'tls-self-signed-key.pem') }
  if (await isUsable(files, hosts)) return files
  await mkdir(data, { recursive: true })
  const services = hosts.map(certificateName).flatMap(name => isIP(name) ? [name] : [name, `*.${name}`])
  const { certificate, key } = makeSelfSigned(services)
  await replaceFile(files.key, key)
  await replaceFile(files.certificate, certificate)
  log.warn({ certificate: files.certificate, hosts },
    'no certificate was given: a self-signed one was made; clients will ask whether to trust it, or refuse')
  return files
}

async function replaceFile (file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 })
  await rename(`${file}.new`, file)
}

async function isUsable (files: CertificateFiles, hosts: readonly string[]): Promise<boolean> {
  try {
    const { certificate } = loadPair(files, await readPair(files))
    const leaf = new X509Certificate(certificate)
    return !hasExpired(leaf) && hosts.every(host => names(leaf, host))
  } catch {
    // There is none yet, or it is damaged: it is ours to make again.
    return false
  }
}

function names (leaf: X509Certificate, host: string): boolean {
  const name = certificateName(host)
  return (isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name)) !== undefined
}

function hasExpired (leaf: X509Certificate): boolean {
  return leaf.validToDate.getTime() < Date.now()
}

// As certificates and SNI have it: A-labels where an address has U-labels, no brackets around an IPv6 address.
function certificateName (host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return /^[\x20-\x7e]*$/.test(bare) ? bare : toASCII(bare) ?? bare
}
