/**
 * XEP-0440: SASL Channel-Binding Type Capability. Offers tls-exporter (RFC 9266) and tls-server-end-point (RFC 5929),
 * each where the connection provides its data.
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

/** The types that the connection supports. */
export function bindingTypes (secure: SecureInfo | undefined): readonly BindingType[] {
  return secure ? TYPES.filter(type => BINDINGS[type](secure)) : []
}

/** The channel-binding data of the connection; undefined for a type that is unknown or not supported. */
export function bindingData (secure: SecureInfo | undefined, type: string): Buffer | undefined {
  // COMPAT(slixmpp, 1.8): it supports no other type, and uses this on TLS 1.3, where it is safe but not standardised.
  if (type === 'tls-unique') return secure?.unique()
  const known = TYPES.find(name => name === type)
  return secure && known && BINDINGS[known](secure)
}

/** The stream feature; undefined for no types, since clients would take an empty list for a downgrade attack. */
export function bindingFeature (types: readonly BindingType[]): Element | undefined {
  if (types.length === 0) return undefined
  return el('sasl-channel-binding', NS, {}, types.map(type => el('channel-binding', undefined, { type })))
}
