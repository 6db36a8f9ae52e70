/** Whether the certificates that a configuration names can be used: readable files that belong together. */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { isMap } from './config-mistakes.ts'
import type { Flaw, Path } from './config-mistakes.ts'

/** What is wrong with the files under `tls`, which is as it was written. */
export function certificateFlaws (tls: unknown, folder: string): readonly Flaw[] {
  if (!isMap(tls)) return []
  const perHost = isMap(tls['hosts']) ? Object.entries(tls['hosts']) : []
  return [
    ...pairFlaws(tls, ['tls'], folder),
    ...perHost.flatMap(([host, pair]) => pairFlaws(pair, ['tls', 'hosts', host], folder)),
  ]
}

type Name = 'certificate' | 'key'

function pairFlaws (pair: unknown, path: Path, folder: string): readonly Flaw[] {
  if (!isMap(pair)) return []
  const files = pair
  const flaws: Flaw[] = []
  const certificate = read('certificate', 'key', text => new X509Certificate(text))
  const key = read('key', 'certificate', text => createPrivateKey(text))
  if (certificate && key && !certificate.checkPrivateKey(key)) {
    report('key', `found "${String(files['key'])}", which is not the key of the certificate`)
  }
  return flaws

  function read<T> (name: Name, other: Name, parse: (text: Buffer) => T): T | undefined {
    const file = files[name]
    if (file === undefined && files[other] !== undefined) report(name, `is missing, expected a path: ${other} is there`)
    if (typeof file !== 'string' || file === '') return
    try {
      return parse(readFileSync(resolve(folder, file)))
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
