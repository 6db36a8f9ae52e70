/** Networks as the config writes them: one address, or all that begin alike. */
import { BlockList, isIPv4, isIPv6 } from 'node:net'

/** This machine, and the addresses that are nobody's on the Internet (RFC 1918, RFC 4193). */
export const PRIVATE_NETWORKS: readonly string[] = [
  '127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '::1', 'fc00::/7',
]

interface Network {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/** Reads `10.0.0.5`, `10.0.0.0/8` or `fd00::/8`; nothing returned means that it is none of these. */
export function parseNetwork (text: string): Network | undefined {
  const [, address = '', digits] = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : undefined
  if (family === undefined) return undefined
  const whole = family === 'ipv4' ? 32 : 128
  const prefix = digits === undefined ? whole : Number(digits)
  return prefix <= whole ? { address, prefix, family } : undefined
}

/** Addresses are asked of it as `plainAddress` writes them; throws on what is no network. */
export class Networks {
  readonly #list = new BlockList()

  constructor (networks: readonly string[]) {
    for (const text of networks) {
      const network = parseNetwork(text)
      if (!network) throw new Error(`"${text}" is neither an address nor a network`)
      this.#list.addSubnet(network.address, network.prefix, network.family)
    }
  }

  includes (address: string): boolean {
    const [plain = ''] = address.split('%') // the zone of a link-local address is the machine's own word
    return this.#list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')
  }
}
