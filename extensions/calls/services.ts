/** XEP-0215: answers which services there are, to accounts of this server. */
import { el, StanzaError } from '../../src/extension/api.ts'
import type { Element, ExtensionHost, Jid } from '../../src/extension/api.ts'
import { credentialsFor } from './service.ts'
import type { Service } from './service.ts'

const NS = 'urn:xmpp:extdisco:2'

export function answerServices (host: ExtensionHost, services: readonly Service[]): void {
  const route = { type: 'get', to: ['server'], ns: NS } as const
  const check = ({ domain, local }: Jid): void => {
    if (!host.hosts.includes(domain) || local === '') throw new StanzaError('forbidden') // §3
  }
  host.disco.feature(NS)
  host.iq({ ...route, name: 'services' }, ({ payload, from }) => {
    check(from)
    const { type } = payload.attrs
    const wanted = services.filter(service => type === undefined || service.type === type)
    return el('services', NS, { type }, wanted.map(service => describe(service, from)))
  })
  // §4.3
  host.iq({ ...route, name: 'credentials' }, ({ payload, from }) => {
    check(from)
    const { host: name, type, port } = payload.getChild('service', NS)?.attrs ?? {}
    if (name === undefined || type === undefined) throw new StanzaError('bad-request', 'a host and a type are needed')
    const found = services.filter(service => service.secret !== undefined && service.type === type &&
      service.host === name.toLowerCase() && (port === undefined || String(service.port) === port))
    if (found.length === 0) throw new StanzaError('item-not-found')
    return el('credentials', NS, {}, found.map(service => describe(service, from)))
  })
}

function describe ({ type, host, port, transport, secret, ttl }: Service, who: Jid): Element {
  const place = { type, host, port: String(port), transport }
  if (secret === undefined) return el('service', NS, place)
  const { username, password, expires } = credentialsFor(secret, ttl, who)
  return el('service', NS, { ...place, restricted: 'true', username, password, expires: expires.toISOString() })
}
