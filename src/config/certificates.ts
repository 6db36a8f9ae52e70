/** Checks the certificates of a configuration: whether they can be used, and whether clients will accept them. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { isMap } from './mistakes.ts'
import type { Flaw, Path } from './mistakes.ts'
import type { Config } from './config.ts'
import { serviceDomains } from './services.ts'
import { doubtsAbout, readCertificate, readKey, usePair } from '../net/certificate-pair.ts'

/** The flaws of the files under `tls`, which is the unparsed value. */
export function certificateFlaws (tls: unknown, folder: string): readonly Flaw[] {
  if (!isMap(tls)) return []
  const perHost = isMap(tls['hosts']) ? Object.entries(tls['hosts']) : []
  return [
    ...pairFlaws(tls, ['tls'], folder),
    ...perHost.flatMap(([host, pair]) => pairFlaws(pair, ['tls', 'hosts', host], folder)),
  ]
}

/** The flaws of the file `authorities` under `federation`, which is the unparsed value. */
export function authorityFlaws (federation: unknown, folder: string): readonly Flaw[] {
  const file = isMap(federation) ? federation['authorities'] : undefined
  if (typeof file !== 'string' || file === '') return []
  try {
    readCertificate(readFileSync(resolve(folder, file), 'utf8'))
    return []
  } catch (error) { // the file system's, or OpenSSL's
    const text = `found "${file}", expected a PEM file: ${describe(error)}`
    return [{ path: ['federation', 'authorities'], text }]
  }
}

/** The reasons for which clients, or other servers, will refuse certificates, all of which are readable. */
export function certificateWarnings (
  { tls, hosts, federation }: Pick<Config, 'tls' | 'hosts' | 'federation'>,
): readonly string[] {
  const isFederated = federation !== false
  // Other servers ask for the certificate of the rooms' domain, too.
  const names = [...new Set([...hosts, ...Object.keys(tls.hosts), ...isFederated ? hosts.flatMap(serviceDomains) : []])]
  const fileOf = (host: string): string | undefined =>
    (tls.hosts[host] ?? tls.hosts[host.slice(host.indexOf('.') + 1)])?.certificate ?? tls.certificate
  const refusal = `${isFederated ? 'clients or other servers' : 'clients'} will refuse it`
  return [...new Set(names.flatMap(host => fileOf(host) ?? []))].flatMap(file =>
    doubtsAbout(readFileSync(file, 'utf8'), names.filter(host => fileOf(host) === file))
      .map(doubt => `the certificate ${file} ${doubt}: ${refusal}`))
}

type Name = 'certificate' | 'key'

function pairFlaws (pair: unknown, path: Path, folder: string): readonly Flaw[] {
  if (!isMap(pair)) return []
  const files = pair
  const flaws: Flaw[] = []
  const certificate = read('certificate', 'key', readCertificate)
  const key = read('key', 'certificate', readKey)
  if (certificate === undefined || key === undefined) return flaws
  try {
    usePair({ certificate, key })
  } catch (error) { // OpenSSL's, or a sentence
    report('key', `found "${String(files['key'])}", which can't be used with the certificate: ${describe(error)}`)
  }
  return flaws

  function read (name: Name, other: Name, parse: (text: string) => unknown): string | undefined {
    const file = files[name]
    if (file === undefined && files[other] !== undefined) report(name, `is missing, expected a path: ${other} is there`)
    if (typeof file !== 'string' || file === '') return
    try {
      const text = readFileSync(resolve(folder, file), 'utf8')
      parse(text)
      return text
    } catch (error) { // the file system's, or OpenSSL's
      report(name, `found "${file}", expected a PEM file: ${describe(error)}`)
    }
  }

  function report (name: Name, text: string): void {
    flaws.push({ path: [...path, name], text })
  }
}

function describe (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
