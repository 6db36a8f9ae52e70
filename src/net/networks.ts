/** Networks of the config: an address, or a prefix in CIDR notation. */
import { BlockList, isIPv4, isIPv6 } from 'node:net'

/** The loopback and private networks (RFC 1918, RFC 4193). */
export const PRIVATE_NETWORKS: readonly string[] = [
  '127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '::1', 'fc00::/7',
]

interface Network {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/** Parses `10.0.0.5`, `10.0.0.0/8` or `fd00::/8`; undefined for anything else. */
export function parseNetwork (text: string): Network | undefined {
  const [, address = '', digits] = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : undefined
  if (family === undefined) return undefined
  const whole = family === 'ipv4' ? 32 : 128
  const prefix = digits === undefined ? whole : Number(digits)
  return prefix <= whole ? { address, prefix, family } : undefined
}

/** A set of networks. The constructor throws on an invalid one. */
export class Networks {
  readonly #list = new BlockList()

  constructor (networks: readonly string[]) {
    for (const text of networks) {
      const network = parseNetwork(text)
      if (!network) throw new Error(`"${text}" is neither an address nor a network`)
      this.#list.addSubnet(network.address, network.prefix, network.family)
    }
  }

  /** Whether it includes an address, as `plainAddress` returns it. */
  includes (address: string): boolean {
    const [plain = ''] = address.split('%') // without the zone of a link-local address
    return this.#list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')
  }
}
