/**
 * The interface of SASL mechanisms (RFC 4422) and the context of their stream; and for the mechanisms with passwords
 * the account of a user name, the check of the authorization identity, and the credentials.
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
  /** The generation of the account with these credentials (see `Life`): the login fails for a later one of its name. */
  readonly madeAt?: string | undefined
}

export type FoundCredentials = Credentials & Pick<Login, 'madeAt'>

export type Step = { readonly challenge: Buffer } | { readonly success: Login, readonly data?: Buffer }

/** One attempt to log in by one mechanism. It throws a SaslError when it fails, and can't be used afterwards. */
export interface Exchange {
  respond (data: Buffer): Step | Promise<Step>
}

/** The SASL mechanisms and channel bindings in a stream's features. */
export interface Offer {
  readonly isEncrypted: boolean
  /** The strongest first. */
  readonly mechanisms: readonly string[]
  readonly bindings: readonly BindingType[]
}

/** The context of a login. */
export interface LoginContext {
  readonly domain: string
  /** The `from` of the stream header. */
  readonly from: Jid | undefined
  readonly secure: SecureInfo | undefined
  readonly offer: Offer
  /**
   * The secret of the installation, from which the salts of missing accounts are derived, so that they never change.
   */
  readonly secret: Buffer
  /** The credentials of the account with this prepared local part. */
  readonly find: (local: string) => Promise<FoundCredentials | undefined>
  /** Runs the comparison of a secret when the login limits allow it, and counts a wrong guess. */
  readonly guess: (account: Jid, compare: () => boolean | Promise<boolean>) => Promise<boolean>
}

/** RFC 6120 §6.3.7: the account of a simple user name. An invalid name is an ordinary failure. */
export function accountNamed (context: LoginContext, name: string): Jid {
  const account = accountOf(name, context.domain)
  if (!account) throw new SaslError('not-authorized')
  // RFC 6120 §6.4.6 for every login, XEP-0388 §2.3 for one with an authorization identity
  if (context.offer.isEncrypted && context.from && !context.from.bare.equals(account)) {
    throw new SaslError('invalid-authzid', 'The account is not the one in the stream header')
  }
  return account
}

/** RFC 6120 §6.3.8: the authorization identity must be the account itself. */
export function checkAuthzid (authzid: string | undefined, account: Jid): void {
  if (authzid && !Jid.tryParse(authzid)?.equals(account)) throw new SaslError('invalid-authzid')
}

/** The account's credentials; for a missing account decoys that nothing matches, at the same cost. */
export async function credentialsOf (context: LoginContext, account: Jid): Promise<FoundCredentials> {
  const decoy = decoyCredentials(context.secret, account.toString()) // in either case, for equal timing
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
