/** Whether the certificates that a configuration names can be used: the files are there, readable, and belong together. */
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

function pairFlaws (pair: unknown, path: Path, folder: string): readonly Flaw[] {
  if (!isMap(pair)) return []
  const flaws: Flaw[] = []
  const certificate = parseFile('certificate', pair, text => new X509Certificate(text))
  const key = parseFile('key', pair, text => createPrivateKey(text))
  if (certificate && key && !certificate.checkPrivateKey(key)) {
    flaws.push({ path: [...path, 'key'], text: `found "${String(pair['key'])}", which is not the key of the certificate` })
  }
  return flaws

  function parseFile<T> (name: 'certificate' | 'key', map: Readonly<Record<string, unknown>>, parse: (text: Buffer) => T): T | undefined {
    const other = name === 'key' ? 'certificate' : 'key'
    const file = map[name]
    if (file === undefined && map[other] !== undefined) {
      flaws.push({ path: [...path, name], text: `is missing, expected a path: ${other} is there, and both go together` })
    }
    if (typeof file !== 'string' || file === '') return
    try {
      return parse(readFileSync(resolve(folder, file)))
    } catch (error) { // the file system's, or OpenSSL's
      flaws.push({ path: [...path, name], text: `found "${file}", expected a PEM file: ${describe(error)}` })
    }
  }
}

function describe (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
