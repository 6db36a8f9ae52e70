/** Debian's ejabberd, with a configuration and a database folder of its own; anybody may register. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import {
  endProgram, makeCertificate, makeFolder, requireProgram, startProgram, systemUser, type CertificateFiles,
  type NameServer, type Server,
} from './server.ts'
import { erlangResolver } from '../../test/support/dns/peer-resolvers.ts'

const CONTROL = '/usr/sbin/ejabberdctl'
const CORE = [
  'mod_roster: { versioning: true }', 'mod_register: { access: all, ip_access: all }',
  'mod_muc: { host: conference.localhost, default_room_options: { moderated: false, mam: true } }',
]

/** What does the work of an extension of ours. */
const MODULES: Readonly<Record<string, readonly string[]>> = {
  archive: ['mod_mam: { default: always }'],
  avatars: ['mod_avatar: {}', 'mod_vcard_xupdate: {}', 'mod_pubsub: { plugins: [flat, pep] }', 'mod_caps: {}'],
  blocking: ['mod_blocking: {}', 'mod_privacy: {}'],
  bookmarks: ['mod_pubsub: { plugins: [flat, pep] }', 'mod_caps: {}'],
  calls: [
    'mod_disco: {}', 'mod_stun_disco: { access: all, secret: shared, services: [{ host: stun.example.org, port: 3478, type: stun, transport: udp, ' +
      'restricted: false }, { host: turn.example.org, port: 3478, type: turn, transport: udp, restricted: true }] }',
  ],
  disco: [
    'mod_disco: { server_info: [{ modules: all, name: abuse-addresses, urls: ["mailto:abuse@localhost"] }] }',
    'mod_caps: {}',
  ],
  carbons: ['mod_carboncopy: {}'], 'client-state': ['mod_client_state: {}'], 'last-activity': ['mod_last: {}'], offline: ['mod_offline: {}'],
  ping: ['mod_ping: {}'], 'private-storage': ['mod_private: {}'],
  pubsub: ['mod_pubsub: { host: pubsub.localhost, access_createnode: all, plugins: [flat, pep] }'],
  'read-positions': ['mod_pubsub: { plugins: [flat, pep] }', 'mod_caps: {}'],
  'stream-management': ['mod_stream_mgmt: {}'],
  time: ['mod_time: {}'],
  vcard: ['mod_vcard: {}'],
  vcard4: ['mod_pubsub: { plugins: [flat, pep] }', 'mod_caps: {}'],
  version: ['mod_version: {}'],
}

/** Run by `erl` itself: a child of ours, without epmd and without a name. */
export async function startEjabberd (
  extensions: readonly string[], _folder?: string, dns?: NameServer,
): Promise<Server> {
  requireProgram(CONTROL, 'ejabberd')
  const owner = systemUser('ejabberd')
  const folder = makeFolder('ejabberd', owner)
  const port = await freePort()
  const config = join(folder, 'ejabberd.yml')
  const serverPorts = dns ? [await freePort()] : []
  const modules = [...new Set(extensions.flatMap(name => MODULES[name] ?? [])), ...dns ? ['mod_s2s_dialback: {}'] : []]
  writeFileSync(config, configuration([port, ...serverPorts], modules, makeCertificate(folder, owner)))
  const resolver = join(folder, 'inetrc')
  if (dns) writeFileSync(resolver, erlangResolver(dns))
  const env = {
    ...process.env,
    HOME: folder,
    // Where Debian keeps the modules depends on the processor; ejabberd's own script knows.
    ERL_LIBS: /^ERL_LIBS='(.*)'$/m.exec(readFileSync(CONTROL, 'utf8'))?.[1] ?? '',
    EJABBERD_CONFIG_PATH: config,
    EJABBERD_LOG_PATH: join(folder, 'ejabberd.log'),
  }
  const parameters = [
    '-noinput', ...dns ? ['-kernel', 'inetrc', `"${resolver}"`] : [], '-mnesia', 'dir', `"${folder}/database"`,
    '-s', 'ejabberd',
  ]
  const child = await startProgram('erl', parameters, port, { cwd: folder, env, ...owner })
  return { ports: [port], serverPorts, folder, end: () => endProgram(child) }
}

function configuration (
  [port, serverPort]: readonly number[], modules: readonly string[], tls: CertificateFiles,
): string {
  return `
hosts: [localhost]
loglevel: warning
certfiles: ["${tls.certificate}", "${tls.key}"]
ca_file: "${tls.certificate}"
auth_method: internal
auth_password_format: scram
resource_conflict: closeold
registration_timeout: infinity
disable_sasl_mechanisms: ["X-OAUTH2"]
listen:
  - { port: ${port}, ip: 127.0.0.1, module: ejabberd_c2s, starttls: true, starttls_required: false }
${serverPort === undefined ? '' : `  - { port: ${serverPort}, ip: 127.0.0.1, module: ejabberd_s2s_in }\ns2s_use_starttls: required`}
modules:
${[...CORE, ...modules].map(line => `  ${line}`).join('\n')}
`
}
