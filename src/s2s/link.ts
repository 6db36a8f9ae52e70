/**
 * What the queue of a remote domain sends through: an established stream for one pair of a local and a remote domain.
 * Streams between servers and streams of components implement it.
 */
import type { Stanza } from '../xmpp/stanza.ts'

export interface Link {
  readonly local: string
  readonly remote: string
  readonly provenBy: 'certificate' | 'dialback' | 'secret'
  /** The version of TLS (TLSv1.3), if there is any. */
  readonly tls: string | undefined
  readonly isOpen: boolean
  /** Writes the stanza behind what was sent before; without effect on a link that is not open. */
  send (stanza: Stanza): void
  /** Resolves when the other server has read most of what was written; undefined where little is unread. */
  drained (): Promise<void> | undefined
  /** Resolves when the other server has taken everything sent so far; rejects when the link is lost. */
  confirm (): Promise<void>
  /** Calls `handler` once when the link is lost or closed; at once on a link that is not open. */
  whenLost (handler: (reason: LinkError) => void): void
  close (): void
}

/**
 * Why there is no link. `not-found` is final: there is no such domain, or it has no server. `refused` (certificate,
 * policy-violation, host-unknown …) is what trying again will hardly mend. `unreachable` may be over soon.
 */
export type LinkErrorKind = 'not-found' | 'refused' | 'unreachable'

/** The message is a sentence for the administrator, and without what others chose to write. */
export class LinkError extends Error {
  readonly kind: LinkErrorKind

  constructor (kind: LinkErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

export interface Links {
  /** An open bidirectional stream of the pair, or a new one; rejects with a LinkError. */
  open (local: string, remote: string): Promise<Link>
}
