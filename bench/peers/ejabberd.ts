/** ejabberd (Debian's) as fast as it goes: Mnesia, no shapers, stored SCRAM keys, only what the loads need. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { requireProgram, systemUser } from '../../conformance/peers/server.ts'
import { erlangResolver } from '../../test/support/dns/peer-resolvers.ts'
import type { DatabaseAddress } from '../database.ts'
import type { Command, Kind, Place } from './peer.ts'

const CONTROL = '/usr/sbin/ejabberdctl'
const DRIVER = '/usr/share/doc/erlang-p1-pgsql'

/** Its own most is 200. */
const MOST_OCCUPANTS = 10_000

const ARCHIVING = `
  mod_mam: { default: always, db_type: sql }
  mod_stream_mgmt: {}
`

// A scheduler that spins while it waits would be counted as work; polling and processes as ejabberdctl has them.
const FLAGS = ['+K', 'true', '+P', '250000', '+S', '1', '+sbwt', 'none', '+sbwtdcpu', 'none', '+sbwtdio', 'none']

export const ejabberd: Kind = {
  name: 'ejabberd',
  require: archives => {
    requireProgram(CONTROL, 'ejabberd')
    if (archives) requireProgram(DRIVER, 'erlang-p1-pgsql')
  },
  owner: () => systemUser('ejabberd'),
  schema: '/usr/share/ejabberd/sql/pg.sql',
  archiveTable: 'archive',
  configure,
}

/** Run by `erl` itself: a child of ours, without epmd and without a name. */
function configure (place: Place): Command {
  const config = join(place.folder, 'ejabberd.yml')
  writeFileSync(config, text(place))
  const resolver = join(place.folder, 'inetrc')
  if (place.federation) writeFileSync(resolver, erlangResolver(place.federation.dns))
  const network = place.federation ? ['-kernel', 'inetrc', `"${resolver}"`] : []
  return {
    program: 'erl',
    parameters: [...FLAGS, '-noinput', ...network, '-mnesia', 'dir', `"${place.folder}/database"`, '-s', 'ejabberd'],
    env: {
      HOME: place.folder,
      ERL_LIBS: /^ERL_LIBS='(.*)'$/m.exec(readFileSync(CONTROL, 'utf8'))?.[1] ?? '',
      EJABBERD_CONFIG_PATH: config,
      EJABBERD_LOG_PATH: join(place.folder, 'ejabberd.log'),
    },
  }
}

function text ({ domain, port, certificate, key, archive, federation }: Place): string {
  return `
hosts: [${domain}]
loglevel: warning
certfiles: ["${certificate}", "${key}"]
ca_file: "${federation?.authority ?? certificate}"
auth_method: internal
auth_password_format: scram
auth_scram_hash: sha
disable_sasl_mechanisms: ["X-OAUTH2"]
registration_timeout: infinity
${archive ? sql(archive) : ''}
listen:
  - port: ${port}
    ip: 127.0.0.1
    module: ejabberd_c2s
    backlog: 1024
    shaper: none
    starttls: true
    starttls_required: false
${federation ? serverPort(federation.port) : ''}
modules:
  mod_disco: {}
  mod_register: { access: all, ip_access: all }
  mod_muc: { max_users: ${MOST_OCCUPANTS}, default_room_options: { max_users: ${MOST_OCCUPANTS}, mam: ${archive !== undefined} } }
  mod_roster: {}
  mod_caps: {}
  mod_pubsub: { access_createnode: all, max_items_node: 10000, plugins: [flat, pep] }
${archive ? ARCHIVING : ''}
`
}

function serverPort (port: number): string {
  return `
  - port: ${port}
    ip: 127.0.0.1
    module: ejabberd_s2s_in
    shaper: none
s2s_use_starttls: required
`
}

function sql ({ port, user, database }: DatabaseAddress): string {
  return `
sql_type: pgsql
sql_server: 127.0.0.1
sql_port: ${port}
sql_username: ${user}
sql_password: ""
sql_database: ${database}
`
}
