/** The port for other servers of a server in the test's process. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openLog } from '../../../src/log.ts'
import { Authorities } from '../../../src/net/authorities.ts'
import { Certificates } from '../../../src/net/certificates.ts'
import { listen } from '../../../src/net/listener.ts'
import type { CertificatePair } from '../../../src/net/self-signed.ts'
import { TlsServer } from '../../../src/net/tls.ts'
import { WriteBarrier } from '../../../src/net/write-barrier.ts'
import { IncomingStreams } from '../../../src/s2s/incoming.ts'
import { VerificationLimits } from '../../../src/s2s/incoming-dialback.ts'
import type { Verifier } from '../../../src/s2s/incoming-dialback.ts'
import { DomainPolicy } from '../../../src/s2s/settings.ts'
import type { FederationSettings } from '../../../src/s2s/settings.ts'
import { Streams } from '../../../src/s2s/streams.ts'
import { Authority } from '../authority.ts'
import { ServerWire } from '../wire/server-wire.ts'
import type { World } from './world.ts'

export const SECRET = Buffer.from('a secret')

export interface Federated {
  readonly incoming: IncomingStreams
  readonly streams: Streams
  /** The domains that were proven, as it was told. */
  readonly proven: readonly string[]
  /** Issues the certificates that it trusts. */
  readonly authority: Authority
  /** What it logged: a line for each event that begins so. */
  logged (event: string): readonly Readonly<Record<string, unknown>>[]
  /** A connection of the server of `local`. */
  connects (local: string, remote?: string): Promise<ServerWire>
  /** The same, proven by a certificate. */
  proves (local: string, before?: string): Promise<ServerWire>
  passes (ms: number): void
}

export interface FederatedOptions {
  readonly settings?: Partial<FederationSettings>
  readonly verify?: Verifier['verify']
  readonly isDirectTls?: boolean
}

/** Listens for other servers of `world`; gone when the test is finished. */
export async function federated (world: World, options: FederatedOptions = {}): Promise<Federated> {
  const lines: string[] = []
  const log = await openLog({ level: 'debug', pretty: false }, { write: line => { lines.push(line) } })
  const authority = new Authority()
  const { certificates, trusted } = await certificatesOf(authority)
  const authorities = await Authorities.load(trusted)
  const { router } = world.core
  const streams = new Streams()
  const proven: string[] = []
  let clock = 0
  const incoming = new IncomingStreams({
    router, log, streams, isServed: router.isServed, secret: SECRET, stanzaBytes: 100_000,
    policy: new DomainPolicy({ trust: 'certificate', allow: [], block: [], domains: {}, ...options.settings }),
    verifier: { verify: options.verify ?? (() => Promise.reject(new Error('nobody is asked'))) },
    verifications: new VerificationLimits(), requests: router.requests,
    proven: domain => { proven.push(domain) },
    now: () => clock,
  })
  const tls = new TlsServer(certificates, { authorities })
  const direct = options.isDirectTls ? { directTlsFor: 'localhost' } : {}
  const listener = await listen(['127.0.0.1:0'],
    { key: 'test', log, barrier: new WriteBarrier(log), tls, ...direct }, transport => { incoming.accept(transport) })
  onTestFinished(() => { listener.close() })
  const connects = async (local: string, remote = 'localhost'): Promise<ServerWire> => {
    const wire = await ServerWire.connect(listener.addresses[0]?.port ?? 0, local, remote)
    onTestFinished(() => { wire.destroy() })
    return wire
  }
  return {
    incoming, streams, proven, authority, connects,
    async proves (local, before) {
      const wire = await connects(local)
      await wire.proves(authority.issue({ hosts: [local] }), before)
      return wire
    },
    logged: event => lines.map(line => JSON.parse(line) as Record<string, unknown> & { event?: string })
      .filter(line => line.event?.startsWith(event)),
    passes (ms) {
      clock += ms
      incoming.check()
    },
  }
}

/** The certificate of `localhost`, which that authority has issued, and the file of what is trusted. */
export async function certificatesOf (
  authority: Authority,
): Promise<{ certificates: Certificates, trusted: string }> {
  const data = await mkdtemp(join(tmpdir(), 'federated-'))
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(data, name), text)
    return join(data, name)
  }
  const own: CertificatePair = authority.issue({ hosts: ['localhost', 'conference.localhost'] })
  const files = { certificate: await write('own.pem', own.certificate), key: await write('own.key', own.key) }
  const log = await openLog({ level: 'silent' })
  const certificates = await Certificates.load({ hosts: ['localhost'], data, log, files })
  const trusted = await write('authority.pem', authority.certificate)
  onTestFinished(async () => {
    certificates.close()
    await rm(data, { recursive: true })
  })
  return { certificates, trusted }
}
