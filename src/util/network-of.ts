/** The key for limits per network address. */
import { SocketAddress, isIPv6 } from 'node:net'

/** An IPv4 address itself, also where it is mapped to IPv6; of an IPv6 address the /64, which is one subscriber's. */
export function networkOf (address: string): string {
  if (!isIPv6(address)) return address
  const canonical = new SocketAddress({ address: address.replace(/%.*/, ''), family: 'ipv6' }).address
  const mapped = /^::ffff:([\d.]+)$/.exec(canonical)?.[1]
  if (mapped) return mapped
  const [head = [], tail = []] = canonical.split('::').map(half => half.split(':').filter(group => group !== ''))
  const zeros = Array<string>(8 - head.length - tail.length).fill('0')
  return `${[...head, ...zeros, ...tail].slice(0, 4).join(':')}::/64`
}
