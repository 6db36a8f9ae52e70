/** Debian's Prosody, with a configuration and a data folder of its own; anybody may register. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import {
  endProgram, makeCertificate, makeFolder, requireProgram, startProgram, systemUser, type CertificateFiles,
  type NameServer, type Server,
} from './server.ts'
import { prosodyResolver } from '../../test/support/dns/peer-resolvers.ts'

const PROGRAM = '/usr/bin/prosody'
const CORE = ['roster', 'saslauth', 'tls', 'register']

/** What does the work of an extension of ours. */
const MODULES: Readonly<Record<string, readonly string[]>> = {
  archive: ['mam', 'disco'],
  avatars: ['pep', 'vcard_legacy'],
  blocking: ['blocklist'],
  bookmarks: ['pep', 'bookmarks'],
  calls: ['external_services', 'disco'],
  carbons: ['carbons'],
  'client-state': ['csi', 'csi_simple'],
  offline: ['offline'],
  disco: ['disco', 'server_contact_info'],
  'last-activity': ['lastactivity', 'uptime'],
  ping: ['ping'], 'private-storage': ['private'], 'stream-management': ['smacks'], time: ['time'], vcard: ['vcard'], vcard4: ['pep', 'vcard4', 'vcard_legacy'],
  pubsub: ['pep'],
  'read-positions': ['pep'],
  version: ['version'],
}

export async function startProsody (
  extensions: readonly string[], _folder?: string, dns?: NameServer,
): Promise<Server> {
  requireProgram(PROGRAM, 'prosody')
  const owner = systemUser('prosody')
  const folder = makeFolder('prosody', owner)
  const port = await freePort()
  const config = join(folder, 'prosody.cfg.lua')
  const serverPorts = dns ? [await freePort()] : []
  const modules = [...extensions.flatMap(name => MODULES[name] ?? []), ...dns ? ['s2s', 'dialback'] : []]
  const federation = dns ? `s2s_ports = { ${serverPorts[0]} }\ns2s_secure_auth = false\n${prosodyResolver(dns)}` : ''
  writeFileSync(config, configuration(folder, port, modules, makeCertificate(folder, owner), federation))
  const child = await startProgram(PROGRAM, ['-F', '--config', config], port, { cwd: folder, ...owner })
  return { ports: [port], serverPorts, folder, end: () => endProgram(child) }
}

function configuration (
  folder: string, port: number, modules: readonly string[], tls: CertificateFiles, federation: string,
): string {
  // These two would come unasked.
  const disabled = ['s2s', 'offline', 'disco'].filter(name => !modules.includes(name))
  return `
pidfile = "${folder}/prosody.pid"
data_path = "${folder}/data"
log = { warn = "*stdout" }
interfaces = { "127.0.0.1" }
c2s_ports = { ${port} }
modules_enabled = { ${[...CORE, ...modules].map(name => `"${name}"`).join(', ')} }
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
conflict_resolve = "kick_old"
allow_registration = true
bounce_blocked_messages = true
contact_info = { abuse = { "mailto:abuse@localhost" } }
external_services = {
  { type = "stun", transport = "udp", host = "stun.example.org", port = 3478 };
  { type = "turn", transport = "udp", host = "turn.example.org", port = 3478, secret = "shared", algorithm = "turn" };
}
ssl = { certificate = "${tls.certificate}", key = "${tls.key}" }
${federation}
VirtualHost "localhost"
modules_disabled = { ${disabled.map(name => `"${name}"`).join(', ')} }
Component "conference.localhost" "muc"
modules_enabled = { ${modules.includes('mam') ? '"muc_mam"' : ''} }
modules_disabled = { ${modules.includes('s2s') ? '' : '"s2s"'} }
allow_unaffiliated_register = true
${modules.includes('pep') ? 'Component "pubsub.localhost" "pubsub"' : ''}
`
}
