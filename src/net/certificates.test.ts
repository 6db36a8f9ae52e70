import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, stat, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Logger } from '../log.ts'
import { openLog } from '../log.ts'
import { Certificates } from './certificates.ts'
import type { CertificateFiles, CertificateOptions, ServedPair } from './certificates.ts'
import { makeSelfSigned } from './self-signed.ts'

let data: string
let log: Logger
const lines: string[] = []
const open: Certificates[] = []

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'certificates-'))
  log = await openLog({ level: 'info', pretty: false }, { write: line => { lines.push(line) } })
})

afterEach(async () => {
  for (const certificates of open.splice(0)) certificates.close()
  lines.splice(0)
  await rm(data, { recursive: true })
})

async function load (options: Partial<CertificateOptions>): Promise<Certificates> {
  const certificates = await Certificates.load({ hosts: ['example.org'], data, log, ...options })
  open.push(certificates)
  return certificates
}

async function writePair (folder: string, name: string, host: string): Promise<CertificateFiles> {
  const { certificate, key } = makeSelfSigned([host])
  const files = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) }
  await writeFile(files.certificate, certificate)
  await writeFile(files.key, key)
  return files
}

async function leafOf (file: string): Promise<X509Certificate> {
  return new X509Certificate(await readFile(file))
}

test('without a certificate a self-signed one is made for all hosts and their services, with a warning', async () => {
  await load({ hosts: ['example.org', 'example.net', '192.0.2.1', '2001:db8::1'] })

  const leaf = await leafOf(join(data, 'tls-self-signed-cert.pem'))
  for (const host of ['example.org', 'conference.example.org', 'example.net', 'upload.example.net']) {
    expect(leaf.checkHost(host)).toBeDefined()
  }
  expect([leaf.checkIP('192.0.2.1'), leaf.checkIP('2001:db8::1'), leaf.checkHost('example.com')])
    .toEqual(['192.0.2.1', '2001:db8::1', undefined])
  expect(leaf.verify(leaf.publicKey)).toBe(true)
  expect(leaf.validToDate.getUTCFullYear() - new Date().getUTCFullYear()).toBe(10)
  expect((await stat(join(data, 'tls-self-signed-key.pem'))).mode & 0o777).toBe(0o600)
  expect(lines.join('')).toContain('self-signed')
})

test('the self-signed certificate stays the same from start to start until a host is added', async () => {
  const file = join(data, 'tls-self-signed-cert.pem')

  await load({})
  const first = await leafOf(file)
  await load({})
  const second = await leafOf(file)
  await load({ hosts: ['example.org', 'new.example'] })
  const third = await leafOf(file)

  expect(second.fingerprint256).toBe(first.fingerprint256)
  expect(third.fingerprint256).not.toBe(first.fingerprint256)
  expect(third.checkHost('new.example')).toBeDefined()
})

test('a host with letters beyond ASCII is named as clients look it up', async () => {
  const own = await writePair(data, 'own', 'xn--bcher-kva.example')

  const certificates = await load({ hosts: ['bücher.example'], filesOf: { 'bücher.example': own } })

  expect(lines).toEqual([])
  expect(certificates.find('xn--bcher-kva.example')).toBe(certificates.pairFor('bücher.example'))
})

test('nothing is made where every host has a certificate of its own', async () => {
  const own = await writePair(data, 'own', 'example.org')

  const certificates = await load({ filesOf: { 'example.org': own } })

  await expect(stat(join(data, 'tls-self-signed-cert.pem'))).rejects.toThrow('ENOENT')
  expect(certificates.find('example.org')).toBe(certificates.pairFor('other.example'))
})

test('a host has its own certificate, its services have it too, and others have the one for all', async () => {
  const files = await writePair(data, 'all', 'example.org')
  const own = await writePair(data, 'own', 'example.net')

  const certificates = await load({ hosts: ['example.org', 'example.net'], files, filesOf: { 'example.net': own } })

  const context = certificates.pairFor('example.net')
  expect(certificates.find('Example.NET')).toBe(context)
  expect(certificates.find('conference.example.net')).toBe(context)
  expect(certificates.find('net')).toBeUndefined()
  expect(certificates.pairFor('example.org')).not.toBe(context)
  expect(certificates.pairFor('unknown.example')).toBe(certificates.pairFor('example.org'))
})

/** Makes what `make` makes as if it were so many years from now. */
async function inYears<T> (years: number, make: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + years * 365 * 24 * 3600_000 })
  try {
    return await make()
  } finally {
    vi.useRealTimers()
  }
}

const expired = (name: string) => inYears(-11, () => writePair(data, name, 'example.org'))

test.each([
  ['has expired', () => expired('live'), /has expired on 20\d\d-/],
  ['is of the future', () => inYears(1, () => writePair(data, 'live', 'example.org')), /is not valid before 20\d\d-/],
  ['names another host', () => writePair(data, 'live', 'example.com'), /does not name example\.org/],
])('a renewed certificate that %s is not used in place of a good one', async (_what, renew, words) => {
  const certificates = await load({ files: await writePair(data, 'live', 'example.org') })
  const first = certificates.pairFor('example.org')

  await renew()
  await certificates.reload()

  expect(certificates.pairFor('example.org')).toBe(first)
  expect(lines.join('')).toMatch(words)
  await writePair(data, 'live', 'example.org')
  await certificates.reload()
  expect(certificates.pairFor('example.org')).not.toBe(first)
})

test('a renewed certificate that clients will refuse is used with a warning where they refuse the old one', async () => {
  const certificates = await load({ files: await expired('live') })
  const first = certificates.pairFor('example.org')

  await writePair(data, 'live', 'example.com')
  await certificates.reload()

  expect(certificates.pairFor('example.org')).not.toBe(first)
  expect(lines.join('')).toMatch(/"level":"warn".*does not name example\.org/)
})

test('a renewed certificate for several hosts has to name each that it was for', async () => {
  const both = makeSelfSigned(['example.org', 'example.net'])
  const files = await writePair(data, 'live', 'example.org')
  await writeFile(files.certificate, both.certificate)
  await writeFile(files.key, both.key)
  const certificates = await load({ hosts: ['example.org', 'example.net'], files })
  const first = certificates.pairFor('example.net')

  await writePair(data, 'live', 'example.org')
  await certificates.reload()

  expect(certificates.pairFor('example.net')).toBe(first)
  expect(lines.join('')).toContain('does not name example.net')
})

test('a key with a passphrase stops the start with a sentence', async () => {
  const files = await writePair(data, 'live', 'example.org')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(
    files.key,
    privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' }),
  )

  await expect(load({ files })).rejects.toThrow('it has a passphrase, which nobody is there to type')
})

test('a missing file and a key of another certificate stop the start with a sentence', async () => {
  const one = await writePair(data, 'one', 'example.org')
  const two = await writePair(data, 'two', 'example.org')

  await expect(load({ files: { certificate: join(data, 'none.pem'), key: one.key } }))
    .rejects.toThrow('none.pem can not be read (ENOENT)')
  await expect(load({ files: { certificate: one.certificate, key: two.key } }))
    .rejects.toThrow(/one.pem and .*two.key do not fit together: the key belongs to another certificate/)
})

test('a renewed certificate is taken over, written in place or by a rename', async () => {
  const files = await writePair(data, 'live', 'example.org')
  const certificates = await load({ files })
  const first = certificates.pairFor('example.org')

  await writePair(data, 'live', 'example.org')
  const second = await expectRenewed(certificates, first)
  const renewed = await writePair(data, 'next', 'example.org')
  await rename(renewed.certificate, files.certificate)
  await rename(renewed.key, files.key)

  await expectRenewed(certificates, second)
})

test('a renewed certificate is taken over when a symlink is swapped', async () => {
  await mkdir(join(data, 'v1'))
  await mkdir(join(data, 'v2'))
  await mkdir(join(data, 'live'))
  await writePair(join(data, 'v1'), 'tls', 'example.org')
  await writePair(join(data, 'v2'), 'tls', 'example.org')
  await symlink('../v1', join(data, 'live/current'))
  await symlink('current/tls.pem', join(data, 'live/tls.pem'))
  await symlink('current/tls.key', join(data, 'live/tls.key'))
  const files = { certificate: join(data, 'live/tls.pem'), key: join(data, 'live/tls.key') }
  const certificates = await load({ files })
  const first = certificates.pairFor('example.org')

  await symlink('../v2', join(data, 'live/next'))
  await rename(join(data, 'live/next'), join(data, 'live/current'))
  const second = await expectRenewed(certificates, first)
  await writePair(join(data, 'v2'), 'tls', 'example.org')

  await expectRenewed(certificates, second)
})

test('a renewed certificate is taken over when its folder is replaced, again and again, and in place afterwards', async () => {
  const live = join(data, 'tls/live')
  await mkdir(live, { recursive: true })
  const files = await writePair(live, 'tls', 'example.org')
  const certificates = await load({ files })
  let last = certificates.pairFor('example.org')

  for (const round of ['first', 'second', 'third']) {
    await mkdir(join(data, 'tls/next'))
    await writePair(join(data, 'tls/next'), 'tls', 'example.org')
    await rename(live, join(data, 'tls', round))
    await rename(join(data, 'tls/next'), live)
    last = await expectRenewed(certificates, last)
  }
  await writePair(live, 'tls', 'example.org')
  last = await expectRenewed(certificates, last)
  await rename(join(data, 'tls'), join(data, 'old'))
  await mkdir(live, { recursive: true })
  await writePair(live, 'tls', 'example.org')

  await expectRenewed(certificates, last)
})

test('files that did not change change nothing', async () => {
  const certificates = await load({ files: await writePair(data, 'live', 'example.org') })
  const first = certificates.pairFor('example.org')

  await certificates.reload()

  expect(certificates.pairFor('example.org')).toBe(first)
  expect(lines).toEqual([])
})

test('the old certificate serves while the new files are missing or do not fit together', async () => {
  const files = await writePair(data, 'live', 'example.org')
  const certificates = await load({ files })
  const first = certificates.pairFor('example.org')

  const other = await writePair(data, 'other', 'example.org')
  await rename(other.certificate, files.certificate)
  await certificates.reload()
  const whileMixed = certificates.pairFor('example.org')
  await unlink(files.key)
  await certificates.reload()
  const whileMissing = certificates.pairFor('example.org')
  await rename(other.key, files.key)
  await certificates.reload()

  expect([whileMixed, whileMissing]).toEqual([first, first])
  expect(lines.join('')).toContain('do not fit together')
  expect(certificates.pairFor('example.org')).not.toBe(first)
})

/** Gives the new one. */
async function expectRenewed (certificates: Certificates, old: ServedPair): Promise<ServedPair> {
  const current = (): ServedPair => certificates.pairFor('example.org')
  await expect.poll(current, { timeout: 5000 }).not.toBe(old)
  return current()
}

test('nothing is said of files that go once the server stops, also where they are just being read', async () => {
  const certificates = await load({})
  lines.splice(0)

  const reloading = certificates.reload()
  certificates.close()
  rmSync(join(data, 'tls-self-signed-cert.pem'))
  await reloading

  expect(lines).toEqual([])
})
