/**
 * XEP-0440: SASL Channel-Binding Type Capability. Offers tls-exporter (RFC 9266) and tls-server-end-point (RFC 5929),
 * each where the connection can give its data.
 */
import { el } from '../../xml/element.ts'
import type { SecureInfo } from '../../net/transport.ts'
import type { Element } from '../../xml/element.ts'

const NS = 'urn:xmpp:sasl-cb:0'

const BINDINGS = {
  'tls-exporter': (secure: SecureInfo) => secure.exporter(),
  'tls-server-end-point': (secure: SecureInfo) => secure.serverEndPoint(),
} as const

export type BindingType = keyof typeof BINDINGS

const TYPES: readonly BindingType[] = ['tls-exporter', 'tls-server-end-point']

/** The types that this connection can be bound by. */
export function bindingTypes (secure: SecureInfo | undefined): readonly BindingType[] {
  return secure ? TYPES.filter(type => BINDINGS[type](secure)) : []
}

/** What ties a login to this connection; nothing for a type that is not known or can't be had. */
export function bindingData (secure: SecureInfo | undefined, type: string): Buffer | undefined {
  // COMPAT(slixmpp, 1.8): it knows no other type, and uses it on TLS 1.3 too, where it is as good but has no standard.
  if (type === 'tls-unique') return secure?.unique()
  const known = TYPES.find(name => name === type)
  return secure && known && BINDINGS[known](secure)
}

/** The stream feature, where there is something to offer: an empty list would say that somebody took it away. */
export function bindingFeature (types: readonly BindingType[]): Element | undefined {
  if (types.length === 0) return undefined
  return el('sasl-channel-binding', NS, {}, types.map(type => el('channel-binding', undefined, { type })))
}
