/** Debian's ejabberd as a server of another domain, with rooms; anybody may register. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startProgram } from '../../conformance/peers/server.ts'
import { erlangResolver } from '../support/dns/peer-resolvers.ts'
import { makePlace, startAt, type FederatedServer, type Neighbourhood, type Place } from './server.ts'

export const EJABBERD = '/usr/sbin/ejabberdctl'

const MODULES = [
  'mod_roster: { versioning: true }', 'mod_register: { access: all, ip_access: all }', 'mod_disco: {}', 'mod_caps: {}',
  'mod_mam: { default: always }', 'mod_blocking: {}', 'mod_privacy: {}', 'mod_carboncopy: {}', 'mod_last: {}',
  'mod_offline: {}', 'mod_ping: {}', 'mod_private: {}', 'mod_stream_mgmt: {}', 'mod_time: {}', 'mod_vcard: {}',
  'mod_version: {}',
]

/** Run by `erl` itself: a child of ours, without epmd and without a name. `more` are lines of its configuration. */
export async function startEjabberd (
  neighbourhood: Neighbourhood, domain = 'ejabberd.example', more = '',
): Promise<FederatedServer> {
  const place = await makePlace(neighbourhood, domain, 'ejabberd')
  const { folder, owner, dns } = place
  const [config, resolver] = [join(folder, 'ejabberd.yml'), join(folder, 'inetrc')]
  writeFileSync(config, configuration(place) + more)
  writeFileSync(resolver, erlangResolver(dns))
  const env = {
    ...process.env,
    HOME: folder,
    // Where Debian keeps the modules depends on the processor; ejabberd's own script knows.
    ERL_LIBS: /^ERL_LIBS='(.*)'$/m.exec(readFileSync(EJABBERD, 'utf8'))?.[1] ?? '',
    EJABBERD_CONFIG_PATH: config,
    EJABBERD_LOG_PATH: join(folder, 'ejabberd.log'),
  }
  const parameters = [
    '-noinput', '-kernel', 'inetrc', `"${resolver}"`, '-mnesia', 'dir', `"${folder}/database"`, '-s', 'ejabberd',
  ]
  return startAt(place, () => startProgram('erl', parameters, place.ports.client, { cwd: folder, env, ...owner }))
}

function configuration ({ domain, ports, files, trust }: Place): string {
  const modules = [
    ...MODULES,
    `mod_muc: { host: conference.${domain}, default_room_options: { moderated: false, mam: true } }`,
    ...trust === 'dialback' ? ['mod_s2s_dialback: {}'] : [],
  ]
  return `
hosts: [${domain}]
loglevel: debug
certfiles: ["${files.certificate}", "${files.key}"]
ca_file: "${files.authority}"
auth_method: internal
auth_password_format: scram
resource_conflict: closeold
registration_timeout: infinity
disable_sasl_mechanisms: ["X-OAUTH2"]
s2s_use_starttls: required
listen:
  - { port: ${ports.client}, ip: 127.0.0.1, module: ejabberd_c2s, starttls: true, starttls_required: false }
  - { port: ${ports.server}, ip: 127.0.0.1, module: ejabberd_s2s_in }
  - { port: ${ports.serverTls}, ip: 127.0.0.1, module: ejabberd_s2s_in, tls: true }
modules:
${modules.map(line => `  ${line}`).join('\n')}
`
}
