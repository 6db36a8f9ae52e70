/** What the configuration says about components. Domains are prepared (RFC 7622 §3.2), as in a Jid. */

/** What is allowed with rosters and with an iq's namespace (XEP-0356 §4.1 and §6.1). */
export const ACCESSES = ['none', 'get', 'set', 'both'] as const
export type Access = typeof ACCESSES[number]

/** XEP-0356: what a component may do in the name of the accounts, those of all hosts. */
export interface Privileges {
  readonly roster: Access
  /** Whether the component that may read rosters is told of their changes. */
  readonly rosterPush: boolean
  readonly message: 'none' | 'outgoing'
  readonly presence: 'none' | 'managed_entity' | 'roster'
  /** By the namespace of the request. */
  readonly iq: Readonly<Record<string, Access>>
}

export interface ComponentSettings {
  /** Proves that a stream is the component's (XEP-0114). */
  readonly secret: string
  readonly privileges: Privileges
  /** The namespaces of requests to the server and its accounts that the component answers (XEP-0355). */
  readonly delegate: readonly string[]
  /** Whether a second stream replaces the first, or shares the work with it. */
  readonly connections: 'one' | 'many'
}

/** The components by their domains. */
export type Components = Readonly<Record<string, ComponentSettings>>

/** Whether `access` includes that type of request. */
export function allows (access: Access | undefined, type: 'get' | 'set'): boolean {
  return access === 'both' || access === type
}
