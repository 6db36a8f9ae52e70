/**
 * The certificates of the hosts: configured files, or a self-signed one that is created where none is configured. Files
 * are watched, and a renewed certificate is used without a restart once it matches its key. One that clients would
 * refuse does not replace one that they accept.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isIP } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Logger } from '../log.ts'
import { certificateName, doubtsAbout, usePair } from './certificate-pair.ts'
import { FileWatch } from './file-watch.ts'
import { makeSelfSigned } from './self-signed.ts'
import type { CertificatePair } from './self-signed.ts'

export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

export interface CertificateOptions {
  /** The domains served, as in JIDs. */
  readonly hosts: readonly string[]
  /** The folder for a self-signed certificate. */
  readonly data: string
  /** For every host without a certificate of its own. */
  readonly files?: CertificateFiles | undefined
  readonly filesOf?: Readonly<Record<string, CertificateFiles>> | undefined
  readonly log: Logger
}

/** A pair, and the context in which it is served to clients. */
export interface ServedPair extends CertificatePair {
  readonly context: SecureContext
}

interface Loaded extends ServedPair {
  readonly files: CertificateFiles
}

/** The current certificates of the server. */
export class Certificates {
  readonly #log: Logger
  readonly #watch: FileWatch
  readonly #default: string
  readonly #hosts: readonly string[]
  readonly #fileOf = new Map<string, string>()
  readonly #loaded = new Map<string, Loaded>()
  #isClosed = false

  private constructor (options: CertificateOptions, files: CertificateFiles) {
    this.#log = options.log
    this.#default = files.certificate
    this.#hosts = [...new Set([...options.hosts, ...Object.keys(options.filesOf ?? {})])]
    this.#watch = new FileWatch(() => this.reload(), options.log)
  }

  /** Rejects with a sentence for an administrator when a file is missing or a key does not match. */
  static async load (options: CertificateOptions): Promise<Certificates> {
    const files = options.files ?? ownOfFirst(options) ?? await selfSignedFiles(options)
    const certificates = new Certificates(options, files)
    await certificates.#add(files)
    for (const [host, own] of Object.entries(options.filesOf ?? {})) {
      certificates.#fileOf.set(certificateName(host), own.certificate)
      await certificates.#add(own)
    }
    return certificates
  }

  /** The certificate of this host: its own, or the default one. */
  pairFor (host: string): ServedPair {
    return this.find(certificateName(host)) ?? this.#get(this.#default)
  }

  /** The own certificate of the host in a client's SNI, or of the host of that service; undefined without one. */
  find (name: string): ServedPair | undefined {
    const host = name.toLowerCase()
    const file = this.#fileOf.get(host) ?? this.#fileOf.get(host.slice(host.indexOf('.') + 1))
    return file === undefined ? undefined : this.#get(file)
  }

  /** Reads all files again and uses those that have changed; a rejected pair is logged, and the old one stays. */
  async reload (): Promise<void> {
    await this.#watch.renew() // first, so that no change comes between reading and watching
    for (const old of this.#loaded.values()) {
      try {
        const pair = await readPair(old.files)
        if (pair.certificate === old.certificate && pair.key === old.key) continue
        this.#renew(old, loadPair(old.files, pair))
      } catch (err) {
        if (this.#isClosed) return
        // A file is missing, incomplete or does not match yet: the renewal may not be finished.
        this.#log.warn({ event: 'certificate.rejected', err, certificate: old.files.certificate },
          'certificate: changed file rejected, the old one stays')
      }
    }
  }

  #renew (old: Loaded, renewed: Loaded): void {
    const file = old.files.certificate
    const hosts = this.#hostsOf(file)
    const doubts = doubtsAbout(renewed.certificate, hosts)
    if (doubts.length > 0 && doubtsAbout(old.certificate, hosts).length === 0) {
      this.#log.warn({ event: 'certificate.rejected', certificate: file, doubts },
        'certificate: changed file rejected, since clients would refuse it; the old one stays')
      return
    }
    this.#loaded.set(file, renewed)
    if (doubts.length > 0) {
      this.#log.warn({ event: 'certificate.renewed', certificate: file, doubts },
        'certificate: renewed, but clients will refuse it')
    } else this.#log.info({ event: 'certificate.renewed', certificate: file }, 'certificate: renewed')
  }

  /** Stops watching: from now on the files may go. */
  close (): void {
    this.#isClosed = true
    this.#watch.close()
  }

  async #add (files: CertificateFiles): Promise<void> {
    if (!this.#loaded.has(files.certificate)) {
      this.#loaded.set(files.certificate, loadPair(files, await readPair(files)))
    }
    await this.#watch.add(files.certificate, files.key)
  }

  #get (file: string): ServedPair {
    const loaded = this.#loaded.get(file)
    if (!loaded) throw new Error(`no certificate was loaded from ${file}`)
    return loaded
  }

  /** The hosts that this certificate is for. */
  #hostsOf (file: string): readonly string[] {
    return this.#hosts.filter(host => (this.#fileOf.get(certificateName(host)) ?? this.#default) === file)
  }
}

// Where each host has its own certificate, the default one, for clients without SNI, is that of the first host.
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
    return { ...pair, files, context: usePair(pair) }
  } catch (error) { // OpenSSL's, or a sentence of ours
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`${files.certificate} and ${files.key} do not fit together: ${reason}`)
  }
}

async function selfSignedFiles ({ data, hosts, log }: CertificateOptions): Promise<CertificateFiles> {
  const files = { certificate: join(data, 'tls-self-signed-cert.pem'), key: join(data, 'tls-self-signed-key.pem') }
  if (await isUsable(files, hosts)) return files
  await mkdir(data, { recursive: true })
  const services = hosts.map(certificateName).flatMap(name => isIP(name) ? [name] : [name, `*.${name}`])
  const { certificate, key } = makeSelfSigned(services)
  await replaceFile(files.key, key)
  await replaceFile(files.certificate, certificate)
  log.warn({ event: 'certificate.self_signed', certificate: files.certificate, hosts },
    'certificate: none configured, made a self-signed one; clients will ask whether to trust it, or refuse it')
  return files
}

async function replaceFile (file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 })
  await rename(`${file}.new`, file)
}

async function isUsable (files: CertificateFiles, hosts: readonly string[]): Promise<boolean> {
  try {
    return doubtsAbout(loadPair(files, await readPair(files)).certificate, hosts).length === 0
  } catch {
    // There is none yet, or it is damaged: it is created again.
    return false
  }
}
