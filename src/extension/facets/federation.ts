/** Other servers. */

/** A pair of domains, one served here and one of another server, that was proven on a stream which is open. */
export interface ServerConnection {
  readonly local: string
  readonly remote: string
  /** Who opened the stream, seen from here; `both`: it carries stanzas in both directions. */
  readonly direction: 'in' | 'out' | 'both'
}

export interface FederationFacet {
  /** Those of this node. */
  readonly connections: Iterable<ServerConnection>
}
