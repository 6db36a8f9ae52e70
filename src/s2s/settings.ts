/** What the configuration says about other servers. All domains are prepared (RFC 7622 §3.2), as in a Jid. */

/** What proves that a stream speaks for a domain; with `dialback` a valid certificate suffices, too. */
export type Trust = 'certificate' | 'dialback'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** Settings of one domain, in place of the general ones. */
export interface DomainSettings {
  /** In place of what DNS says. */
  readonly address?: HostPort | undefined
  readonly trust?: Trust | undefined
}

export interface FederationSettings {
  readonly trust: Trust
  /** When not empty, no other domains than these. */
  readonly allow: readonly string[]
  /** Never these and their subdomains. */
  readonly block: readonly string[]
  /** How long messages wait for a domain that can't be reached. */
  readonly giveUpHours: number
  /** The most messages waiting for one domain. */
  readonly queue: number
  /** Read from one server's stream. */
  readonly bytesPerSecond: number
  readonly stanzaBytes: number
  readonly resolver: 'system' | HostPort
  /** The path of a PEM file with certificate authorities that are trusted besides the system's. */
  readonly authorities?: string | undefined
  readonly domains: Readonly<Record<string, DomainSettings>>
}

/** What is allowed with which domain. */
export class DomainPolicy {
  readonly #trust: Trust
  readonly #allowed: ReadonlySet<string>
  readonly #blocked: ReadonlySet<string>
  readonly #domains: ReadonlyMap<string, DomainSettings>

  constructor (settings: Pick<FederationSettings, 'trust' | 'allow' | 'block' | 'domains'>) {
    this.#trust = settings.trust
    this.#allowed = new Set(settings.allow)
    this.#blocked = new Set(settings.block)
    this.#domains = new Map(Object.entries(settings.domains))
  }

  /** Whether stanzas are exchanged with the domain. */
  isAllowed (domain: string): boolean {
    if (this.#allowed.size > 0 && !this.#allowed.has(domain)) return false
    return this.#blocked.size === 0 || !withParents(domain).some(name => this.#blocked.has(name))
  }

  trustOf (domain: string): Trust {
    return this.#domains.get(domain)?.trust ?? this.#trust
  }

  /** The configured address, which replaces what DNS says. */
  addressOf (domain: string): HostPort | undefined {
    return this.#domains.get(domain)?.address
  }
}

function withParents (domain: string): readonly string[] {
  const labels = domain.split('.')
  return labels.map((_, index) => labels.slice(index).join('.'))
}
