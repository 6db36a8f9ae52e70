/** All that the nodes of a cluster say to each other: what is told, what is asked, and what is answered. */
import type { ErrorDetail, StreamErrorCondition } from '../../xmpp/errors.ts'

/** An element's error, as it crosses the bus. */
export interface ErrorRecord {
  readonly condition: string
  readonly text?: string | undefined
  readonly type?: string | undefined
  readonly detail?: { readonly name: string, readonly ns: string, readonly attrs?: Readonly<Record<string, string>> } | undefined
}

/** A stream's error, as it crosses the bus. */
export interface StreamErrorRecord {
  readonly condition: StreamErrorCondition
  readonly text?: string | undefined
  readonly detail?: ErrorDetail | undefined
}

/** What is known of a stanza that is forwarded, and does not stand in it: see `Header`. */
export interface StanzaHeader {
  readonly dedupKey?: string | undefined
  readonly isRedelivery?: true | undefined
  readonly author?: string | undefined
}

/** What needs no answer. A stream is named by its edge's own id for it. */
export interface Tells {
  /** From the edge: the client has sent an element, the body. */
  'stream.element': { readonly stream: string }
  /** From the edge: the client has taken so many bytes of what was written. */
  'stream.read': { readonly stream: string, readonly bytes: number }
  /** From the edge: the client is silent, and is to be asked whether it is there. */
  'stream.ping': { readonly stream: string }
  /** From the edge: the client's connection is gone. */
  'stream.lost': { readonly stream: string, readonly mayResume: boolean, readonly isClosed?: boolean }
  /** From the home: bytes for the client, the body; on a WebSocket, messages of these lengths. */
  'stream.write': { readonly stream: string, readonly lengths?: readonly number[] | undefined }
  /** From the home: what the client asked for was so large: so many bytes count as if they had been read from it. */
  'stream.charge': { readonly stream: string, readonly bytes: number }
  /** From the home: so many of the client's elements have been taken, and as many more may come. */
  'stream.taken': { readonly stream: string, readonly count: number }
  /** From the home: the stream ends, with an error or without. */
  'stream.close': { readonly stream: string, readonly error?: StreamErrorRecord | undefined }
}

/** What is answered. */
export interface Asks {
  /**
   * A stanza for an account, the body; answered when it is stored, or was refused and its sender told. `isElsewhere`
   * where that account's home is not (any more): the stanza was not taken.
   */
  'stanza': {
    readonly header: StanzaHeader
    readonly answer: { readonly isElsewhere?: true }
  }
  /**
   * A stanza, the body, for many accounts; answered when all have it. `moved` are those whose home is not there (any
   * more), by their places in `to`: they have not got it.
   */
  'multicast': {
    readonly header: StanzaHeader & { readonly to: readonly string[] }
    readonly answer: { readonly moved: readonly number[] }
  }
  /** The way in of a client that has logged in at the edge: `complete` a SASL 2 login, `bind` a resource, `resume`. */
  'stream.enter': {
    readonly header: EnterRequest
    readonly answer: EnterAnswer
  }
  /** Something between an extension here and the same there, which alone know what it means. */
  'extension': {
    readonly header: { readonly extension: string, readonly text: string }
    readonly answer: { readonly text: string }
  }
  /** The account is to be removed. */
  'account.remove': {
    readonly header: { readonly account: string }
    readonly answer: { readonly isHome: boolean }
  }
}

export interface EnterRequest {
  readonly stream: string
  readonly account: string
  /** When the account was made that was logged in to: see `Life`. */
  readonly madeAt?: string | undefined
  readonly isAnonymous: boolean
  readonly remoteAddress: string
  readonly host: string
  readonly isSecure: boolean
  readonly transport: 'tcp' | 'websocket'
  /** What the stream's header said (RFC 6120 §4.7.4). */
  readonly lang?: string | undefined
  readonly how: 'complete' | 'bind' | 'resume'
  /** Elements as XML with their namespaces: the inline requests of a login, the iq that binds, `<resume/>`. */
  readonly elements: readonly string[]
  /** XEP-0386: the request to bind within the login. */
  readonly bind?: { readonly tag?: string | undefined, readonly features: readonly string[] } | undefined
  readonly clientId?: string | undefined
}

export interface EnterAnswer {
  /** False where the account's home is not (any more): to be looked up again. */
  readonly isHome: boolean
  /** XML of what the client is to be told, in order. */
  readonly elements: readonly string[]
  /** The full address that was bound or resumed, if one was. */
  readonly jid?: string | undefined
  readonly isResumed?: boolean | undefined
  /** The features that extensions offer on this session's stream, as XML. */
  readonly features?: string | undefined
  /** The stream is to end: what went wrong. */
  readonly error?: StreamErrorRecord | undefined
}
