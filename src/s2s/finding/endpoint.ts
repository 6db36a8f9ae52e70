/** Where a domain's server may be found, in the order of RFC 2782. */

export interface Endpoint {
  /** A host name in A-labels, or an IP address. */
  readonly host: string
  readonly port: number
  /** XEP-0368: TLS begins at once. */
  readonly isDirectTls: boolean
  /** Those of a higher number are tried when all of a lower one have failed. */
  readonly priority: number
}

/** An endpoint with its share among those of the same priority. */
export interface WeightedEndpoint extends Endpoint {
  readonly weight: number
}

/** RFC 2782: by priority, and within one in random order, in which a greater weight is likely to come first. */
export function inOrder (
  endpoints: readonly WeightedEndpoint[], random: () => number = Math.random,
): readonly WeightedEndpoint[] {
  const byPriority = Map.groupBy(endpoints, ({ priority }) => priority)
  return [...byPriority].toSorted(([one], [other]) => one - other).flatMap(([, group]) => drawn(group, random))
}

function drawn (group: readonly WeightedEndpoint[], random: () => number): readonly WeightedEndpoint[] {
  const left = group.toSorted((one, other) => one.weight - other.weight) // those without weight first, as RFC 2782 says
  const order: WeightedEndpoint[] = []
  while (left.length > 0) {
    const sum = left.reduce((sum, { weight }) => sum + weight, 0)
    const point = Math.floor(random() * (sum + 1))
    let running = 0
    const at = left.findIndex(({ weight }) => (running += weight) >= point)
    for (const one of left.splice(at, 1)) order.push(one)
  }
  return order
}
