/** Conflicts between values of a configuration, each of which is valid by itself. */
import { isIP } from 'node:net'
import type { ListenConfig, TlsConfig } from './config.ts'
import { check, isMap } from './mistakes.ts'
import type { Flaw, Path } from './mistakes.ts'
import { domain } from './schema.ts'
import type { CoreSchema } from './schema.ts'
import { serviceOf } from './services.ts'
import { allows } from '../components/settings.ts'
import type { Components } from '../components/settings.ts'
import type { ListenAddress } from '../net/addresses.ts'

/** Checks each key of the unparsed tree separately, so that a mistake elsewhere hides no conflict. */
export function conflictFlaws (
  core: CoreSchema, tree: Readonly<Record<string, unknown>>,
): readonly Flaw[] {
  const hosts = check(core.hosts, tree['hosts']).result
  const tls = check(core.tls, tree['tls']).result
  const listen = check(core.listen, tree['listen']).result
  const components = check(core.components, tree['components']).result
  return [
    ...repeatedHosts(tree['hosts']),
    ...hosts ? serviceHosts(hosts) : [],
    ...hosts && tls ? strangeHosts([...hosts, ...Object.keys(components ?? {})], tls) : [],
    ...repeatedKeys(tree['tls'], ['tls', 'hosts']),
    ...repeatedKeys(tree['federation'], ['federation', 'domains']),
    ...repeatedKeys(tree, ['components']),
    ...Object.entries(isMap(tree['extensions']) ? tree['extensions'] : {})
      .flatMap(([extension, options]) => repeatedKeys(options, ['extensions', extension, 'hosts'])),
    ...listen ? takenAddresses(listen) : [],
    ...hosts ? unservedHosts(hosts, tree['extensions']) : [],
    ...components ? componentFlaws(components) : [],
    ...hosts ? servedComponents(hosts, tree['components']) : [],
  ]
}

function repeatedHosts (hosts: unknown): readonly Flaw[] {
  const names = Array.isArray(hosts) ? hosts.map(host => check(domain, host).result) : []
  return names.flatMap((name, position) => name !== undefined && names.indexOf(name) < position
    ? [{ path: ['hosts', position], text: `${name} is there twice` }]
    : [])
}

/** A host can't be the domain of another host's rooms or nodes: its stanzas would go to one of the two. */
function serviceHosts (hosts: readonly string[]): readonly Flaw[] {
  return hosts.flatMap((name, position) => {
    const service = serviceOf(name, hosts)
    if (service === undefined) return []
    return [{ path: ['hosts', position], text: `${name} is where ${service} are, and is served with it` }]
  })
}

/** Keys of the map at `path`, the last key of which is in `part`, that are the same domain once they are prepared. */
function repeatedKeys (part: unknown, path: Path): readonly Flaw[] {
  const map = isMap(part) ? part[String(path.at(-1))] : undefined
  const keys = isMap(map) ? Object.keys(map) : []
  const names = keys.map(key => check(domain, key).result)
  return keys.flatMap((key, position) => {
    const name = names[position]
    if (name === undefined || names.indexOf(name) === position) return []
    return [{ path: [...path, key], text: `${name} is there twice` }]
  })
}

/** A component can't have a domain that is served with a host. */
function servedComponents (hosts: readonly string[], components: unknown): readonly Flaw[] {
  const keys = isMap(components) ? Object.keys(components) : []
  return keys.flatMap(key => {
    const { result: name } = check(domain, key)
    const path = ['components', key]
    if (name !== undefined && hosts.includes(name)) return [{ path, text: `${name} is one of hosts, and no component` }]
    const service = name === undefined ? undefined : serviceOf(name, hosts)
    return service === undefined ? [] : [{ path, text: `${name} is where ${service} are` }]
  })
}

function componentFlaws (components: Components): readonly Flaw[] {
  const flaws: Flaw[] = []
  const delegated = new Map<string, string>()
  for (const [name, { privileges, delegate }] of Object.entries(components)) {
    if (privileges.presence === 'roster' && !allows(privileges.roster, 'get')) { // XEP-0356 §7.4
      const path = ['components', name, 'privileges', 'presence']
      flaws.push({ path, text: 'roster needs privileges.roster to be get or both' })
    }
    for (const ns of delegate) {
      const other = delegated.get(ns)
      if (other === undefined) delegated.set(ns, name)
      else flaws.push({ path: ['components', name, 'delegate'], text: `${ns} is delegated to ${other} already` })
    }
  }
  return flaws
}

function strangeHosts (hosts: readonly string[], tls: TlsConfig): readonly Flaw[] {
  const text = `is not served, expected one of hosts or a part of it (${hosts.join(', ')})`
  return Object.keys(tls.hosts)
    .filter(name => !hosts.some(host => name === host || name.endsWith(`.${host}`)))
    .map(name => ({ path: ['tls', 'hosts', name], text }))
}

/** Keys under `hosts` of an extension's options that are no served hosts. */
function unservedHosts (hosts: readonly string[], extensions: unknown): readonly Flaw[] {
  const text = `is not served, expected one of hosts (${hosts.join(', ')})`
  return Object.entries(isMap(extensions) ? extensions : {}).flatMap(([extension, options]) => {
    const own = isMap(options) && isMap(options['hosts']) ? Object.keys(options['hosts']) : []
    const unserved = own.filter(name => {
      const { result: host } = check(domain, name)
      return host !== undefined && !hosts.includes(host)
    })
    return unserved.map(name => ({ path: ['extensions', extension, 'hosts', name], text }))
  })
}

function takenAddresses (listen: ListenConfig): readonly Flaw[] {
  const flaws: Flaw[] = []
  const taken: { readonly key: string, readonly at: ListenAddress }[] = []
  for (const [name, addresses] of Object.entries(listen)) {
    const key = name.replace('Tls', '-tls')
    for (const at of addresses) {
      const other = taken.find(one => isSame(one.at, at))
      taken.push({ key, at })
      if (!other) continue
      flaws.push({ path: ['listen', key], text: `${at.host} port ${at.port} is that of listen.${other.key}` })
    }
  }
  return flaws
}

/** Whether both can't be open at once: the wildcard address conflicts with all of its family. */
function isSame (one: ListenAddress, other: ListenAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false
  const isForAll = [one, other].some(({ host }) => host === '0.0.0.0' || host === '::')
  return one.host === other.host || (isForAll && isIP(one.host) !== 0 && isIP(one.host) === isIP(other.host))
}
