/**
 * What a SASL mechanism is here (RFC 4422), what it knows of the stream that it runs on, and what the mechanisms with
 * passwords share: whose account is meant, what it may act as, and what it is checked against.
 */
import { decoyCredentials } from '../../accounts/credentials.ts'
import { SaslError } from '../../xmpp/errors.ts'
import { Jid, JidError } from '../../xmpp/jid.ts'
import type { Credentials } from '../../accounts/credentials.ts'
import type { SecureInfo } from '../../net/transport.ts'
import type { BindingType } from './channel-binding.ts'

export interface Login {
  /** Bare. */
  readonly jid: Jid
  readonly anonymous: boolean
  /** Of the account that the credentials are of: another of the same name is not logged in to. See `Life`. */
  readonly madeAt?: string | undefined
}

export type FoundCredentials = Credentials & Pick<Login, 'madeAt'>

export type Step = { readonly challenge: Buffer } | { readonly success: Login, readonly data?: Buffer }

/** One attempt to log in by one mechanism. It throws a SaslError when it has failed, and is of no use then. */
export interface Exchange {
  respond (data: Buffer): Step | Promise<Step>
}

/** What a stream's features offer to whoever logs in. */
export interface Offer {
  readonly isEncrypted: boolean
  /** The strongest first. */
  readonly mechanisms: readonly string[]
  readonly bindings: readonly BindingType[]
}

/** What a mechanism knows of the stream that it runs on. */
export interface LoginContext {
  readonly domain: string
  /** Whom the stream header says it is from. */
  readonly from: Jid | undefined
  readonly secure: SecureInfo | undefined
  readonly offer: Offer
  /** The server's own; the same for years, so that missing accounts look the same for years. */
  readonly secret: Buffer
  /** The credentials of the account with this local part, prepared as RFC 7622 says. */
  readonly find: (local: string) => Promise<FoundCredentials | undefined>
  /** Compares a secret, when the account may be guessed at again, and counts it where the guess is wrong. */
  readonly guess: (account: Jid, compare: () => boolean | Promise<boolean>) => Promise<boolean>
}

/** RFC 6120 §6.3.7: the account whose simple user name this is. A name that no account can have is just a wrong one. */
export function accountNamed (context: LoginContext, name: string): Jid {
  const account = accountOf(name, context.domain)
  if (!account) throw new SaslError('not-authorized')
  // RFC 6120 §6.4.6 for every login, XEP-0388 §2.3 for one with an authorization identity
  if (context.offer.isEncrypted && context.from && !context.from.bare.equals(account)) {
    throw new SaslError('invalid-authzid', 'The account is not the one in the stream header')
  }
  return account
}

/** RFC 6120 §6.3.8: who logs in may act as himself only. */
export function checkAuthzid (authzid: string | undefined, account: Jid): void {
  if (authzid && !Jid.tryParse(authzid)?.equals(account)) throw new SaslError('invalid-authzid')
}

/** What the account is checked against: for one that is missing, what nothing matches, at the same cost. */
export async function credentialsOf (context: LoginContext, account: Jid): Promise<FoundCredentials> {
  const decoy = decoyCredentials(context.secret, account.toString()) // made in either case: equal work
  return await context.find(account.local) ?? decoy
}

function accountOf (name: string, domain: string): Jid | undefined {
  try {
    return Jid.of(name, domain)
  } catch (error) {
    if (error instanceof JidError) return
    throw error
  }
}
