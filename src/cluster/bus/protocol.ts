/** The protocol between nodes: packets, requests and their answers. */
import type { ErrorDetail, StreamErrorCondition } from '../../xmpp/errors.ts'

/** An element's error, as it crosses the bus. */
export interface ErrorRecord {
  readonly condition: string
  readonly text?: string | undefined
  readonly type?: string | undefined
  readonly detail?:
    | { readonly name: string, readonly ns: string, readonly attrs?: Readonly<Record<string, string>> }
    | undefined
}

/** A stream's error, as it crosses the bus. */
export interface StreamErrorRecord {
  readonly condition: StreamErrorCondition
  readonly text?: string | undefined
  readonly detail?: ErrorDetail | undefined
}

/** Properties of a forwarded stanza that its XML does not have: see `Header`. */
export interface StanzaHeader {
  readonly dedupKey?: string | undefined
  readonly isRedelivery?: true | undefined
  readonly author?: string | undefined
}

/** Packets without an answer. A stream is named by its edge's id. */
export interface Tells {
  /** From the edge: an element of the client, in the body. */
  'stream.element': { readonly stream: string }
  /** From the edge: bytes that the client has read of what was written. */
  'stream.read': { readonly stream: string, readonly bytes: number }
  /** From the edge: the client is silent and should be pinged. */
  'stream.ping': { readonly stream: string }
  /** From the edge: the client's connection is gone. */
  'stream.lost': { readonly stream: string, readonly mayResume: boolean, readonly isClosed?: boolean }
  /** From the owner: bytes for the client, in the body; on a WebSocket, messages of these lengths. */
  'stream.write': { readonly stream: string, readonly lengths?: readonly number[] | undefined }
  /** From the owner: an answer was large; its bytes count against the client's read rate. */
  'stream.charge': { readonly stream: string, readonly bytes: number }
  /** From the owner: elements that were processed, which opens the flow-control window by as many. */
  'stream.taken': { readonly stream: string, readonly count: number }
  /** From the owner: the stream ends, with or without an error. */
  'stream.close': { readonly stream: string, readonly error?: StreamErrorRecord | undefined }
  /** `isElsewhere` was heard for that key: stanzas that come from now on are to be taken. */
  'stanza.refusal-heard': { readonly key: string }
}

/** Requests with an answer. */
export interface Asks {
  /**
   * A stanza for an account, in the body; answered when it is stored, or refused with an error to its sender.
   * `isElsewhere`: this node does not own the account (any more), and did not take the stanza; nor those that follow,
   * until it is told that this was heard.
   */
  'stanza': {
    readonly header: StanzaHeader
    readonly answer: { readonly isElsewhere?: true }
  }
  /**
   * A stanza, in the body, for many accounts; answered when it is delivered. `moved` are the indexes in `to` of
   * accounts that this node does not own (any more), which have not received it.
   */
  'multicast': {
    readonly header: StanzaHeader & { readonly to: readonly string[] }
    readonly answer: { readonly moved: readonly number[] }
  }
  /** Binding of a client that has logged in at the edge: `complete` a SASL 2 login, `bind` a resource, `resume`. */
  'stream.enter': {
    readonly header: EnterRequest
    readonly answer: EnterAnswer
  }
  /** A request between two instances of one extension, which defines its content. */
  'extension': {
    readonly header: { readonly extension: string, readonly text: string }
    readonly answer: { readonly text: string }
  }
  /** Removal of the account. */
  'account.remove': {
    readonly header: { readonly account: string }
    readonly answer: { readonly isHome: boolean }
  }
}

export interface EnterRequest {
  readonly stream: string
  readonly account: string
  /** The creation time of the account that was logged in to: see `Life`. */
  readonly madeAt?: string | undefined
  readonly isAnonymous: boolean
  readonly remoteAddress: string
  readonly host: string
  readonly isSecure: boolean
  readonly transport: 'tcp' | 'websocket'
  /** The language of the stream header (RFC 6120 §4.7.4). */
  readonly lang?: string | undefined
  readonly how: 'complete' | 'bind' | 'resume'
  /** Elements as XML with their namespaces: the inline requests of a login, the iq that binds, `<resume/>`. */
  readonly elements: readonly string[]
  /** XEP-0386: the request to bind within the login. */
  readonly bind?: { readonly tag?: string | undefined, readonly features: readonly string[] } | undefined
  readonly clientId?: string | undefined
}

export interface EnterAnswer {
  /** False where this node does not own the account (any more): look up its owner again. */
  readonly isHome: boolean
  /** XML for the client, in order. */
  readonly elements: readonly string[]
  /** The full address that was bound or resumed, if one was. */
  readonly jid?: string | undefined
  readonly isResumed?: boolean | undefined
  /** The features of extensions on this session's stream, as XML. */
  readonly features?: string | undefined
  /** The error that ends the stream. */
  readonly error?: StreamErrorRecord | undefined
}
