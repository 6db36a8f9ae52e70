/** The table of SASL mechanisms, for both profiles. */
import { SaslError } from '../../xmpp/errors.ts'
import { bindingTypes } from './channel-binding.ts'
import { anonymous } from './anonymous.ts'
import { plain } from './plain.ts'
import { Scram } from './scram.ts'
import type { SecureInfo } from '../../net/transport.ts'
import type { Exchange, LoginContext, Offer } from './exchange.ts'

export interface OfferOptions {
  readonly secure: SecureInfo | undefined
  /** True also where a trusted proxy terminates TLS. */
  readonly isEncrypted: boolean
  readonly allowsAnonymous: boolean
}

interface Mechanism {
  readonly name: string
  readonly isOffered: (to: OfferOptions & { readonly canBind: boolean }) => boolean
  readonly start: (context: LoginContext) => Exchange
}

const HASHES = ['SHA-512', 'SHA-256', 'SHA-1'] as const

/** The strongest first. */
const MECHANISMS: readonly Mechanism[] = [
  ...HASHES.map((hash): Mechanism => ({
    name: `SCRAM-${hash}-PLUS`,
    isOffered: to => to.canBind,
    start: context => new Scram(context, { hash, isBound: true }),
  })),
  ...HASHES.map((hash): Mechanism => ({
    name: `SCRAM-${hash}`,
    isOffered: () => true,
    start: context => new Scram(context, { hash, isBound: false }),
  })),
  { name: 'PLAIN', isOffered: to => to.isEncrypted, start: plain }, // RFC 6120 §13.8.3
  { name: 'ANONYMOUS', isOffered: to => to.allowsAnonymous, start: anonymous },
]

/** The offer of a stream in its current state: it changes with STARTTLS. */
export function makeOffer (options: OfferOptions): Offer {
  const bindings = bindingTypes(options.secure)
  const to = { ...options, canBind: bindings.length > 0 }
  const mechanisms = MECHANISMS.filter(mechanism => mechanism.isOffered(to)).map(mechanism => mechanism.name)
  return { isEncrypted: options.isEncrypted, mechanisms, bindings }
}

/** Begins an exchange of a mechanism that the stream offers; throws a SaslError for any other. */
export function startExchange (name: string, context: LoginContext): Exchange {
  const { mechanisms, isEncrypted } = context.offer
  const mechanism = MECHANISMS.find(known => known.name === name)
  if (mechanism && mechanisms.includes(name)) return mechanism.start(context)
  // RFC 6120 §6.5.4
  throw new SaslError(name === 'PLAIN' && !isEncrypted ? 'encryption-required' : 'invalid-mechanism')
}
