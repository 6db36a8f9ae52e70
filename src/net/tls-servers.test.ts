/** TLS between servers: both show a certificate, and each is told what is wrong with the other's. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Authority, selfSigned, SERVER_AUTH } from '../../test/support/authority.ts'
import { openLog } from '../log.ts'
import { Authorities } from './authorities.ts'
import { Certificates } from './certificates.ts'
import { listen } from './listener.ts'
import type { CertificatePair } from './self-signed.ts'
import { TcpTransport } from './tcp.ts'
import { TlsClient, TlsServer } from './tls.ts'
import type { AlpnProtocol } from './tls.ts'
import type { SecureInfo } from './transport.ts'
import { WriteBarrier } from './write-barrier.ts'

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const authority = new Authority()
const log = await openLog({ level: 'silent' })
const barrier = new WriteBarrier(log)
const theirs = authority.issue({ hosts: ['them.test'] })
const cleanup: (() => void)[] = []
let folder: string
let authorities: Authorities
let count = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tls-servers-'))
  await writeFile(join(folder, 'ca.pem'), `An authority:\n${new Authority().certificate}\n${authority.certificate}`)
  authorities = await Authorities.load(join(folder, 'ca.pem'))
})

afterEach(() => { for (const undo of cleanup.splice(0)) undo() })
afterAll(() => rm(folder, { recursive: true }))

async function certificatesOf (pair: CertificatePair, host: string): Promise<Certificates> {
  const files = { certificate: join(folder, `${++count}.pem`), key: join(folder, `${count}.key`) }
  await writeFile(files.certificate, pair.certificate)
  await writeFile(files.key, pair.key)
  const certificates = await Certificates.load({ hosts: [host], data: folder, files, log })
  cleanup.push(() => { certificates.close() })
  return certificates
}

interface Connected {
  /** What the server that connects knows of the connection, and what the other one knows. */
  readonly client: SecureInfo | undefined
  readonly server: SecureInfo | undefined
}

/** us.test connects to them.test. */
async function connected (ours: CertificatePair, alpn?: AlpnProtocol): Promise<Connected> {
  const accepted = Promise.withResolvers<TcpTransport>()
  const options = {
    key: 'listen.server-tls', log, barrier, directTlsFor: 'them.test',
    tls: new TlsServer(await certificatesOf(theirs, 'them.test'), { authorities, alpn }),
  }
  const listener = await listen(['127.0.0.1:0'], options, accepted.resolve)
  cleanup.push(() => { listener.close() })
  const certificates = await certificatesOf(ours, 'us.test')
  const tls = new TlsClient({ local: 'us.test', certificates, authorities, alpn })
  const socket = createConnection(listener.addresses[0]?.port ?? 0, '127.0.0.1')
  const transport = new TcpTransport(socket, { barrier, tls })
  cleanup.push(() => { transport.destroy() })
  await transport.startTls('them.test')
  return { client: transport.secure, server: (await accepted.promise).secure }
}

describe('between servers', () => {
  test('both show a certificate, and the one that connects says whom it wants', async () => {
    const { client, server } = await connected(authority.issue({ hosts: ['us.test'] }), 'xmpp-server')

    expect([client?.peer?.problem, server?.peer?.problem]).toEqual([undefined, undefined])
    expect([client?.peer?.certificate, server?.peer?.certificate]).toEqual([expect.any(Buffer), expect.any(Buffer)])
    expect(server).toMatchObject({ protocol: 'TLSv1.3', sni: 'them.test' })
  })

  test('a bad certificate is told of, and does not end the handshake', async () => {
    const { server } = await connected(selfSigned({ hosts: ['us.test'] }))

    expect(server?.peer?.problem).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
  })
})

// Public authorities issue certificates for servers only.
describe('the certificate of a server that connects, which says that it is for servers', () => {
  async function problem (pair: CertificatePair): Promise<string | undefined> {
    return (await connected(pair)).server?.peer?.problem
  }

  const wishes = { hosts: ['us.test'], usages: [SERVER_AUTH] }
  const past = new Date(Date.now() - 3600_000)

  test.each([
    ['of a known authority', authority.issue(wishes)],
    ['of one below it', authority.below().issue(wishes)],
    ['of one two below it', authority.below({ pathLength: 1 }).below({ usages: [SERVER_AUTH] }).issue(wishes)],
  ])('is accepted: %s', async (_, pair) => {
    expect(await problem(pair)).toBeUndefined()
  })

  test.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'vouches for itself', selfSigned(wishes)],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'is of an unknown authority', new Authority().issue(wishes)],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'is of one below an unknown one', new Authority().below().issue(wishes)],
    ['CERT_HAS_EXPIRED', 'has expired', authority.issue({ ...wishes, to: past })],
    ['CERT_HAS_EXPIRED', 'is of an authority that has expired', authority.below({ to: past }).issue(wishes)],
    ['INVALID_CA', 'is of one that is no authority', authority.below({ isAuthority: false }).issue(wishes)],
    ['PATH_LENGTH_EXCEEDED', 'has too many between', authority.below({ pathLength: 0 }).below().issue(wishes)],
    ['INVALID_PURPOSE', 'is of an authority for some domains', authority.below({ permitted: 'us.test' }).issue(wishes)],
    ['INVALID_PURPOSE', 'is of an authority for clients', authority.below({ usages: [CLIENT_AUTH] }).issue(wishes)],
    ['INVALID_PURPOSE', 'is for something else', authority.issue({ ...wishes, usages: ['1.3.6.1.5.5.7.3.3'] })],
  ])('is refused by %s where it %s', async (code, _, pair) => {
    expect(await problem(pair)).toBe(code)
  })

  test('is refused where it was changed', async () => {
    const authorityOfSameName = new Authority('Twin')
    await writeFile(join(folder, 'twin.pem'), new Authority('Twin').certificate)
    const before = authorities
    authorities = await Authorities.load(join(folder, 'twin.pem'))

    const found = await problem(authorityOfSameName.issue(wishes)).finally(() => { authorities = before })

    expect(found).toBe('CERT_SIGNATURE_FAILURE')
  })
})

describe('a file of authorities', () => {
  test.each([
    ['nothing.pem', undefined, 'can not be read (ENOENT)'],
    ['empty.pem', 'no certificates', 'has no certificates in PEM format'],
    ['damaged.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', 'has a damaged certificate'],
  ])('%s is refused in a sentence', async (name, text, sentence) => {
    if (text !== undefined) await writeFile(join(folder, name), text)

    await expect(Authorities.load(join(folder, name))).rejects.toThrow(`${join(folder, name)} ${sentence}`)
  })
})
