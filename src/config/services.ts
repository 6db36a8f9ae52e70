/** The domains that are served with each host. */
import { roomsDomain } from '../muc/context.ts'
import { pubsubDomain } from '../pubsub/service.ts'

export function serviceDomains (host: string): readonly string[] {
  return [roomsDomain(host), pubsubDomain(host)]
}

/** What is served at that domain, in words; undefined where it is none of these. */
export function serviceOf (domain: string, hosts: readonly string[]): string | undefined {
  for (const host of hosts) {
    if (roomsDomain(host) === domain) return `the rooms of ${host}`
    if (pubsubDomain(host) === domain) return `the nodes of ${host}`
  }
}
