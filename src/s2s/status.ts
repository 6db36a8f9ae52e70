/** What an administrator is told about other servers. */

/** What there is between a domain that is served here and another one. */
export interface RemoteStatus {
  readonly local: string
  readonly remote: string
  /** Which way stanzas go over the open streams; undefined where there is none. */
  readonly direction: 'in' | 'out' | 'both' | undefined
  /** What proves the domains on the open streams: certificate, dialback. */
  readonly provenBy: readonly string[]
  /** The versions of TLS on the open streams. */
  readonly tls: readonly string[]
  /** Messages that are not confirmed yet. */
  readonly waiting: number
  readonly oldestSeconds: number | undefined
  readonly lastError: string | undefined
}
