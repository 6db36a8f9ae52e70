/** The features of a stream in each state: RFC 6120 §4.3.2 as a table. */
import type { OfferedStream } from '../extension/requests.ts'
import type { Session } from '../session/session.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { NS_TLS } from '../xmpp/ns.ts'
import { bindFeature } from './bind2.ts'
import { bindFeatures } from './bind.ts'
import { bindingFeature } from './sasl/channel-binding.ts'
import type { Offer } from './sasl/exchange.ts'
import { mechanismsFeature } from './sasl/sasl.ts'
import { authenticationFeature } from './sasl/sasl2.ts'
import type { StreamTable } from './stream-table.ts'

const NS_LIMITS = 'urn:xmpp:stream-limits:0'

/** The limits of XEP-0478; 0: no limit, which is advertised by leaving it out. */
export interface AdvertisedLimits { readonly stanzaBytes: number, readonly idleSeconds: number }

export interface BeforeLogin {
  readonly stream: OfferedStream
  readonly offer: Offer
  readonly mayStartTls: boolean
  readonly requireTls: boolean
  readonly limits: AdvertisedLimits
}

/** Before the login. Where TLS is required and not active yet, it is the only feature (RFC 6120 §5.3.1). */
export function featuresBeforeLogin (state: BeforeLogin, table: StreamTable): string {
  const { host, isSecure } = state.stream
  const key = [host, isSecure, state.mayStartTls, ...state.offer.mechanisms, ...state.offer.bindings].join(' ')
  return table.list(key, () => listBeforeLogin(state, table))
}

function listBeforeLogin (state: BeforeLogin, table: StreamTable): readonly Element[] {
  const mustSecure = state.requireTls && !state.offer.isEncrypted
  const tls = state.mayStartTls ? [el('starttls', NS_TLS, {}, mustSecure ? el('required', NS_TLS) : undefined)] : []
  if (mustSecure) return tls
  return [
    ...tls,
    mechanismsFeature(state.offer),
    ...(state.offer.isEncrypted
      ? [authenticationFeature(state.offer, [bindFeature(table.switches), ...table.loginFeatures])]
      : []),
    ...optional(bindingFeature(state.offer.bindings)),
    ...table.features('before-auth', state.stream),
    limitsFeature(state.limits),
  ]
}

/** After the login; with binding, unless the login had one (XEP-0386). */
export function featuresAfterLogin (
  session: Session | undefined, stream: OfferedStream, limits: AdvertisedLimits, table: StreamTable,
): string {
  if (session) return [...table.features('after-auth', stream, session), limitsFeature(limits)].join('')
  return table.list(`${stream.host} ${stream.isSecure} after login`, () =>
    [...bindFeatures(), ...table.features('after-auth', stream), limitsFeature(limits)])
}

/** XEP-0478: Stream Limits Advertisement. */
export function limitsFeature ({ stanzaBytes, idleSeconds }: AdvertisedLimits): Element {
  return el('limits', NS_LIMITS, {},
    el('max-bytes', NS_LIMITS, {}, String(stanzaBytes)),
    idleSeconds > 0 ? el('idle-seconds', NS_LIMITS, {}, String(idleSeconds)) : undefined)
}

function optional (element: Element | undefined): readonly Element[] {
  return element ? [element] : []
}
