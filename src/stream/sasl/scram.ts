/**
 * RFC 5802 and 7677: the server's side of SCRAM, with and without channel binding (RFC 5929, 9266). XEP-0474: SASL
 * SCRAM Downgrade Protection: signs the mechanisms and channel bindings that the stream has offered.
 */
import { isUtf8 } from 'node:buffer'
import { hash as digest } from 'node:crypto'
import { serverSignature, verifyProof } from '../../accounts/credentials.ts'
import { decodeBase64 } from '../../util/base64.ts'
import { randomId } from '../../util/ids.ts'
import { SaslError } from '../../xmpp/errors.ts'
import { bindingData } from './channel-binding.ts'
import { accountNamed, checkAuthzid, credentialsOf } from './exchange.ts'
import type { ScramHash, ScramKeys } from '../../accounts/credentials.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Exchange, LoginContext, Offer, Step } from './exchange.ts'

export interface ScramVariant {
  readonly hash: ScramHash
  /** Whether this is the -PLUS variant, with channel binding. */
  readonly isBound: boolean
}

/** RFC 5802 §7. Extensions may follow the nonce; `m` is reserved and must fail everywhere (§5.1). */
const CLIENT_FIRST = new RegExp('^(?<header>(?<flag>[ny]|p=(?<type>[A-Za-z0-9.-]+)),(?:a=(?<authzid>[^,\\0]+))?,)'
  + '(?<bare>n=(?<name>[^,\\0]+),r=(?<nonce>[\\x21-\\x2b\\x2d-\\x7e]+)(?:,[A-Za-ln-z]=[^,\\0]+)*)$')
const CLIENT_FINAL = new RegExp('^(?<unproven>c=(?<binding>[A-Za-z0-9+/=]+),r=(?<nonce>[\\x21-\\x2b\\x2d-\\x7e]+)'
  + '(?:,[A-Za-lnoq-z]=[^,\\0]+)*),p=(?<proof>[A-Za-z0-9+/=]+)$')

const OPENSSL_NAMES = { 'SHA-1': 'sha1', 'SHA-256': 'sha256', 'SHA-512': 'sha512' } as const

/** The state after the first message. */
interface Begun {
  readonly account: Jid
  readonly madeAt: string | undefined
  readonly keys: ScramKeys
  readonly nonce: string
  /** The expected value of `c=`. */
  readonly binding: Buffer
  /** RFC 5802 §3: the AuthMessage without the client's final message. */
  readonly messages: string
}

/** An exchange of SCRAM, which has two messages. */
export class Scram implements Exchange {
  readonly #context: LoginContext
  readonly #variant: ScramVariant
  readonly #serverNonce: string
  #begun: Begun | undefined

  constructor (context: LoginContext, variant: ScramVariant, serverNonce = randomId()) {
    this.#context = context
    this.#variant = variant
    this.#serverNonce = serverNonce
  }

  async respond (data: Buffer): Promise<Step> {
    const message = isUtf8(data) ? data.toString() : ''
    return this.#begun ? this.#finish(this.#begun, message) : this.#begin(message)
  }

  async #begin (message: string): Promise<Step> {
    const { header, flag, type, authzid, bare, name, nonce: clientNonce } = match(CLIENT_FIRST, message)
    if (!header || !flag || !bare || !name || !clientNonce) throw new SaslError('malformed-request')
    const binding = this.#expectBinding(header, flag, type)
    const account = accountNamed(this.#context, decodeName(name))
    checkAuthzid(authzid && decodeName(authzid), account)
    const { [this.#variant.hash]: keys, madeAt } = await credentialsOf(this.#context, account)
    const nonce = clientNonce + this.#serverNonce
    const protection = offerHash(this.#variant.hash, this.#context.offer)
    const challenge = `r=${nonce},s=${keys.salt.toString('base64')},i=${keys.iterations},h=${protection}`
    this.#begun = { account, madeAt, keys, nonce, binding, messages: `${bare},${challenge}` }
    return { challenge: Buffer.from(challenge) }
  }

  /** RFC 5802 §6: the expected value of `c=` by the client's flag. */
  #expectBinding (header: string, flag: string, type: string | undefined): Buffer {
    const { offer, secure } = this.#context
    if (this.#variant.isBound !== (type !== undefined)) throw new SaslError('malformed-request')
    if (type === undefined) {
      // The client supports channel binding and believes that the server does not: a downgrade attack.
      if (flag === 'y' && offer.bindings.length > 0) {
        throw new SaslError('not-authorized', 'This server does offer channel binding')
      }
      return Buffer.from(header)
    }
    const data = bindingData(secure, type)
    if (!data) throw new SaslError('malformed-request', 'This type of channel binding is not offered')
    return Buffer.concat([Buffer.from(header), data])
  }

  async #finish (begun: Begun, message: string): Promise<Step> {
    const { unproven, binding, nonce, proof: encodedProof } = match(CLIENT_FINAL, message)
    const proof = decodeBase64(encodedProof ?? '')
    const sentBinding = decodeBase64(binding ?? '')
    if (!unproven || !proof || !sentBinding) throw new SaslError('malformed-request')
    if (nonce !== begun.nonce || !sentBinding.equals(begun.binding)) throw new SaslError('not-authorized')
    const { hash } = this.#variant
    const { account, madeAt, keys } = begun
    const authMessage = `${begun.messages},${unproven}`
    const isRight = await this.#context.guess(account, () => verifyProof(hash, keys, authMessage, proof))
    if (!isRight) throw new SaslError('not-authorized')
    const signature = serverSignature(hash, keys, authMessage).toString('base64')
    return { success: { jid: account, anonymous: false, madeAt }, data: Buffer.from(`v=${signature}`) }
  }
}

function match (pattern: RegExp, message: string): Readonly<Record<string, string | undefined>> {
  return pattern.exec(message)?.groups ?? {}
}

/** RFC 5802 §5.1: decodes `=2C` and `=3D` to comma and equals sign; any other equals sign in a name is an error. */
function decodeName (name: string): string {
  if (/=(?!2C|3D)/.test(name)) throw new SaslError('malformed-request')
  return name.replaceAll('=2C', ',').replaceAll('=3D', '=')
}

/** XEP-0474 §6.1; for ASCII the default sort is the collation i;octet. */
function offerHash (hash: ScramHash, offer: Offer): string {
  const mechanisms = offer.mechanisms.toSorted().join('\x1e')
  const bindings = offer.bindings.toSorted().join('\x1e')
  return digest(OPENSSL_NAMES[hash], bindings ? `${mechanisms}\x1f${bindings}` : mechanisms, 'base64')
}
