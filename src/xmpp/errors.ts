/**
 * The three kinds of errors of XMPP: of a stanza (RFC 6120 §8.3), of a stream (§4.9) and of a login (§6.5), each with
 * its closed set of conditions. `Router.bounce` and `IqTable` answer with stanza errors, streams and their negotiation
 * with the others.
 */

/** RFC 6120 §8.3.3: each condition with the error type that goes with it. */
const STANZA_ERROR_TYPES = {
  'bad-request': 'modify',
  'conflict': 'cancel',
  'feature-not-implemented': 'cancel',
  'forbidden': 'auth',
  'gone': 'cancel',
  'internal-server-error': 'cancel',
  'item-not-found': 'cancel',
  'jid-malformed': 'modify',
  'not-acceptable': 'modify',
  'not-allowed': 'cancel',
  'not-authorized': 'auth',
  'payment-required': 'auth',
  'policy-violation': 'modify',
  'recipient-unavailable': 'wait',
  'redirect': 'modify',
  'registration-required': 'auth',
  'remote-server-not-found': 'cancel',
  'remote-server-timeout': 'wait',
  'resource-constraint': 'wait',
  'service-unavailable': 'cancel',
  'subscription-required': 'auth',
  'undefined-condition': 'cancel',
  'unexpected-request': 'wait',
} as const

export type StanzaErrorCondition = keyof typeof STANZA_ERROR_TYPES
export type StanzaErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait'

/** An application's own condition inside an error (RFC 6120 §4.9.4 and §8.3.4): `<name xmlns='ns'/>`. */
export interface ErrorDetail {
  readonly name: string
  readonly ns: string
  readonly attrs?: Readonly<Record<string, string>>
}

/** Refuses a stanza; the stream goes on. The type is the condition's default unless another is given. */
export class StanzaError extends Error {
  readonly condition: StanzaErrorCondition
  readonly type: StanzaErrorType
  readonly text: string | undefined
  readonly detail: ErrorDetail | undefined

  constructor (condition: StanzaErrorCondition, text?: string, detail?: ErrorDetail, type?: StanzaErrorType) {
    super(text ?? condition)
    this.name = 'StanzaError'
    this.condition = condition
    this.type = type ?? STANZA_ERROR_TYPES[condition]
    this.text = text
    this.detail = detail
  }
}

/** RFC 6120 §4.9.3. */
export type StreamErrorCondition =
  | 'bad-format' | 'bad-namespace-prefix' | 'conflict' | 'connection-timeout' | 'host-gone' | 'host-unknown'
  | 'improper-addressing' | 'internal-server-error' | 'invalid-from' | 'invalid-namespace' | 'invalid-xml'
  | 'not-authorized' | 'not-well-formed' | 'policy-violation' | 'remote-connection-failed' | 'reset'
  | 'resource-constraint' | 'restricted-xml' | 'see-other-host' | 'system-shutdown' | 'undefined-condition'
  | 'unsupported-encoding' | 'unsupported-feature' | 'unsupported-stanza-type' | 'unsupported-version'

/** Ends the stream: `<stream:error/>` and close. */
export class StreamError extends Error {
  readonly condition: StreamErrorCondition
  readonly text: string | undefined
  readonly detail: ErrorDetail | undefined

  constructor (condition: StreamErrorCondition, text?: string, detail?: ErrorDetail) {
    super(text ?? condition)
    this.name = 'StreamError'
    this.condition = condition
    this.text = text
    this.detail = detail
  }
}

/** RFC 6120 §6.5. */
export type SaslErrorCondition =
  | 'aborted' | 'account-disabled' | 'credentials-expired' | 'encryption-required' | 'incorrect-encoding'
  | 'invalid-authzid' | 'invalid-mechanism' | 'malformed-request' | 'mechanism-too-weak' | 'not-authorized'
  | 'temporary-auth-failure'

/** Fails a login: `<failure/>`; the third on a stream ends it. */
export class SaslError extends Error {
  readonly condition: SaslErrorCondition
  readonly text: string | undefined

  constructor (condition: SaslErrorCondition, text?: string) {
    super(text ?? condition)
    this.name = 'SaslError'
    this.condition = condition
    this.text = text
  }
}
