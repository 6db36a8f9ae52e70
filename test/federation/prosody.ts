/** Debian's Prosody as a server of another domain, with rooms; anybody may register. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startProgram } from '../../conformance/peers/server.ts'
import { prosodyResolver } from '../support/dns/peer-resolvers.ts'
import { makePlace, startAt, type FederatedServer, type Neighbourhood, type Place } from './server.ts'

export const PROSODY = '/usr/bin/prosody'

const MODULES = [
  'roster', 'saslauth', 'tls', 'register', 'dialback', 's2s_bidi', 'smacks', 'disco', 'ping', 'private', 'vcard',
  'blocklist', 'carbons', 'mam', 'offline', 'time', 'version',
]

/** `more` are lines of its configuration for all its domains. */
export async function startProsody (
  neighbourhood: Neighbourhood, domain = 'prosody.example', more = '',
): Promise<FederatedServer> {
  const place = await makePlace(neighbourhood, domain, 'prosody')
  const config = join(place.folder, 'prosody.cfg.lua')
  writeFileSync(config, configuration(place, more))
  const options = { cwd: place.folder, ...place.owner }
  return startAt(place, () => startProgram(PROSODY, ['-F', '--config', config], place.ports.client, options))
}

function configuration ({ domain, folder, ports, files, trust, dns }: Place, more: string): string {
  return `
pidfile = "${folder}/prosody.pid"
data_path = "${folder}/data"
log = { debug = "${folder}/prosody.log" }
interfaces = { "127.0.0.1" }
c2s_ports = { ${ports.client} }
s2s_ports = { ${ports.server} }
s2s_direct_tls_ports = { ${ports.serverTls} }
modules_enabled = { ${MODULES.map(name => `"${name}"`).join(', ')} }
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
allow_registration = true
conflict_resolve = "kick_old"
s2s_require_encryption = true
s2s_secure_auth = ${trust === 'certificate'}
ssl = { certificate = "${files.certificate}", key = "${files.key}", cafile = "${files.authority}" }
${prosodyResolver(dns)}
${more}
VirtualHost "${domain}"
Component "conference.${domain}" "muc"
modules_enabled = { "muc_mam" }
`
}
