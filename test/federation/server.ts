/** What the other servers of a federation have in common: a domain, ports, a certificate, and a life of their own. */
import type { ChildProcess } from 'node:child_process'
import { chownSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { domainToASCII } from 'node:url'
import { freePort } from '../../conformance/peers/free-port.ts'
import { endProgram, makeFolder, systemUser, type Owner } from '../../conformance/peers/server.ts'
import type { CertificatePair } from '../../src/net/self-signed.ts'
import { selfSigned, type Authority } from '../support/authority.ts'
import type { DnsServer } from '../support/dns/dns-server.ts'

/** `certificate`: those of the authority, and nothing else counts; `dialback`: self-signed ones. */
export type Trust = 'certificate' | 'dialback'

/** ejabberd asks the name server for services only, and the system for their addresses. */
const TARGET = 'localhost'

/** What all servers of a federation share. */
export interface Neighbourhood {
  readonly trust: Trust
  readonly authority: Authority
  readonly dns: DnsServer
}

/** A server's own place, before it is started. */
export interface Place {
  readonly domain: string
  readonly folder: string
  readonly owner: Owner | undefined
  /** For clients, for servers, and for servers with TLS from the first byte. */
  readonly ports: { readonly client: number, readonly server: number, readonly serverTls: number }
  readonly files: { readonly certificate: string, readonly key: string, readonly authority: string }
  readonly trust: Trust
  readonly dns: { readonly host: string, readonly port: number }
}

export interface FederatedServer {
  readonly domain: string
  readonly place: Place
  readonly pid: number
  /** Starts it with what it has kept, after it was ended or killed. */
  start (): Promise<void>
  end (): Promise<void>
  /** As when the power is cut. */
  kill (): Promise<void>
  /** Ends it, and nothing stays. */
  remove (): Promise<void>
}

/** A folder with certificates, free ports, and records in DNS for the domain, its rooms, and others. */
export async function makePlace (
  { trust, authority, dns }: Neighbourhood, domain: string, user: string | undefined, others: readonly string[] = [],
): Promise<Place> {
  const owner = user === undefined ? undefined : systemUser(user)
  const name = domainToASCII(domain)
  const folder = makeFolder(name, owner)
  const ports = { client: await freePort(), server: await freePort(), serverTls: await freePort() }
  const hosts = [name, ...others].flatMap(host => [host, `conference.${host}`])
  const pair = trust === 'certificate' ? authority.issue({ hosts }) : selfSigned({ hosts })
  const files = writeFiles(folder, owner, pair, authority.certificate)
  for (const host of hosts) {
    dns.names.set(`_xmpp-server._tcp.${host}`, { srv: [{ port: ports.server, target: TARGET }] })
  }
  dns.names.set(TARGET, { a: ['127.0.0.1'] })
  return { domain, folder, owner, ports, files, trust, dns: { host: dns.host, port: dns.port } }
}

/** Replaces the certificate that the server reads at its next start. */
export function writeFiles (
  folder: string, owner: Owner | undefined, pair: CertificatePair, authority: string,
): Place['files'] {
  const files = {
    certificate: join(folder, 'server.crt'), key: join(folder, 'server.key'), authority: join(folder, 'authority.crt'),
  }
  writeFileSync(files.certificate, pair.certificate)
  writeFileSync(files.key, pair.key)
  writeFileSync(files.authority, authority)
  if (owner) for (const file of Object.values(files)) chownSync(file, owner.uid, owner.gid)
  return files
}

/** The server that `run` starts in its place, each time anew. */
export async function startAt (place: Place, run: () => Promise<ChildProcess>): Promise<FederatedServer> {
  let child = await run()
  const end = (): Promise<void> => endProgram(child)
  return {
    domain: place.domain,
    place,
    get pid () { return child.pid ?? NaN },
    end,
    async start () { child = await run() },
    async kill () {
      child.kill('SIGKILL')
      await endProgram(child)
    },
    async remove () {
      await end()
      rmSync(place.folder, { recursive: true, force: true })
    },
  }
}

/** Why the program is not there; nothing when it is. */
export function whyNo (program: string, name: string): string | undefined {
  return existsSync(program) ? undefined : `${name} is not installed (${program})`
}
