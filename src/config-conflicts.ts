/** What each value of a configuration allows by itself, and not together with another. */
import type { ListenConfig, TlsConfig } from './config.ts'
import { check, isMap } from './config-mistakes.ts'
import type { Flaw } from './config-mistakes.ts'
import { domain } from './config-schema.ts'
import type { CoreSchema } from './config-schema.ts'

/** Looks at what was written of each key by itself, so that a mistake elsewhere hides nothing here. */
export function conflictFlaws (
  core: CoreSchema, tree: Readonly<Record<string, unknown>>,
): readonly Flaw[] {
  const hosts = check(core.hosts, tree['hosts']).result
  const tls = check(core.tls, tree['tls']).result
  const listen = check(core.listen, tree['listen']).result
  return [
    ...repeatedHosts(tree['hosts']),
    ...hosts && tls ? strangeHosts(hosts, tls) : [],
    ...listen ? takenAddresses(listen) : [],
    ...hosts ? unservedHosts(hosts, tree['extensions']) : [],
  ]
}

function repeatedHosts (hosts: unknown): readonly Flaw[] {
  const names = Array.isArray(hosts) ? hosts.map(host => check(domain, host).result) : []
  return names.flatMap((name, position) => name !== undefined && names.indexOf(name) < position
    ? [{ path: ['hosts', position], text: `${name} is there twice` }]
    : [])
}

function strangeHosts (hosts: readonly string[], tls: TlsConfig): readonly Flaw[] {
  const text = `is not served, expected one of hosts or a part of it (${hosts.join(', ')})`
  return Object.keys(tls.hosts)
    .filter(name => !hosts.some(host => name === host || name.endsWith(`.${host}`)))
    .map(name => ({ path: ['tls', 'hosts', name], text }))
}

/** What an extension's options say under `hosts` is of hosts that are served. */
function unservedHosts (hosts: readonly string[], extensions: unknown): readonly Flaw[] {
  const text = `is not served, expected one of hosts (${hosts.join(', ')})`
  return Object.entries(isMap(extensions) ? extensions : {}).flatMap(([extension, options]) => {
    const own = isMap(options) && isMap(options['hosts']) ? Object.keys(options['hosts']) : []
    return own.flatMap(name => {
      const { result: host } = check(domain, name)
      return host === undefined || hosts.includes(host) ? [] : [{ path: ['extensions', extension, 'hosts', name], text }]
    })
  })
}

function takenAddresses (listen: ListenConfig): readonly Flaw[] {
  const flaws: Flaw[] = []
  const taken = new Map<string, string>()
  for (const [name, addresses] of Object.entries(listen)) {
    const key = name === 'clientTls' ? 'client-tls' : name
    for (const { host, port } of addresses) {
      const at = `${host} port ${port}`
      const other = taken.get(at)
      taken.set(at, key)
      if (other === undefined || port === 0) continue
      flaws.push({ path: ['listen', key], text: `${at} is that of listen.${other}` })
    }
  }
  return flaws
}
