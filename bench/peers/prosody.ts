/** Debian's Prosody as fast as it goes: epoll, internal storage, and only the modules that the loads need. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { requireProgram, systemUser } from '../../conformance/peers/server.ts'
import { prosodyResolver } from '../../test/support/dns/peer-resolvers.ts'
import type { DatabaseAddress } from '../database.ts'
import type { Command, FederationPlace, Kind, Place } from './peer.ts'

const PROGRAM = '/usr/bin/prosody'
const DRIVER = '/usr/share/doc/lua-dbi-postgresql'

export const prosody: Kind = {
  name: 'prosody',
  require: archives => {
    requireProgram(PROGRAM, 'prosody')
    if (archives) requireProgram(DRIVER, 'lua-dbi-postgresql')
  },
  owner: () => systemUser('prosody'),
  archiveTable: 'prosodyarchive',
  configure,
}

function configure (place: Place): Command {
  const config = join(place.folder, 'prosody.cfg.lua')
  writeFileSync(config, text(place))
  return { program: PROGRAM, parameters: ['-F', '--config', config] }
}

// With its own threshold of 105 the collector takes nearly half of the time. The iterations are ejabberd's, so that
// making 3 000 accounts takes seconds.
function text ({ domain, folder, port, certificate, key, archive, federation }: Place): string {
  return `
pidfile = "${folder}/prosody.pid"
data_path = "${folder}/data"
log = { warn = "*stdout" }
network_backend = "epoll"
interfaces = { "127.0.0.1" }
c2s_ports = { ${port} }
modules_enabled = { "roster", "saslauth", "tls", "disco", "pep", "register_ibr"${archive ? ', "mam", "smacks"' : ''} }
modules_disabled = { ${federation ? '' : '"s2s", '}"offline" }
c2s_require_encryption = false
${federation ? federating(federation) : ''}
gc = { mode = "incremental", threshold = 200 }
authentication = "internal_hashed"
default_iteration_count = 4096
${archive ? archiving(archive) : 'storage = "internal"'}
allow_registration = true
ssl = { certificate = "${certificate}", key = "${key}"${federation ? `, cafile = "${federation.authority}"` : ''} }
VirtualHost "${domain}"
Component "pubsub.${domain}" "pubsub"
	admins = { "u0@${domain}" }
	pubsub_max_items = 10000
Component "conference.${domain}" "muc"
${archive ? 'modules_enabled = { "muc_mam" }' : ''}
`
}

function federating ({ port, dns }: FederationPlace): string {
  return `
s2s_ports = { ${port} }
s2s_require_encryption = true
s2s_secure_auth = true
${prosodyResolver(dns)}
`
}

function archiving ({ port, user, database }: DatabaseAddress): string {
  return `
storage = { archive = "sql" }
default_storage = "internal"
sql = { driver = "PostgreSQL", host = "127.0.0.1", port = ${port}, username = "${user}", database = "${database}" }
default_archive_policy = true
archive_expires_after = "never"
`
}
