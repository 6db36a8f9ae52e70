/** The other nodes, as one extension reaches them. */
import type { ClusterFacet } from '../../extension/facets/cluster.ts'
import type { Fields } from '../../extension/points.ts'
import { roomsDomain } from '../../muc/context.ts'
import type { Account } from '../../session/account.ts'
import type { PartsCluster } from '../parts.ts'
import type { Registration } from './registration.ts'

export function clusterFacet ({ name, parts, undo }: Registration, cluster: PartsCluster): ClusterFacet {
  const { answerers, accounts, rooms, replicated, hosts } = parts
  const { homes, records, others } = cluster
  const roomDomains = hosts.map(roomsDomain)
  return {
    get nodes () { return others.nodes },
    ask: (node, request, body) => others.ask(node, name, request.join('\n'), body),
    answer<Request extends Fields> (
      handler: (from: string, request: Request, body: Buffer) => string | Promise<string>,
    ) {
      answerers.set(name, (from, text, body) => handler(from, text.split('\n') as Fields as Request, body))
      undo.push(() => { answerers.delete(name) })
    },
    homeOf: async jid => (await homes.find(jid.bare.toString())).node,
    placeOf (service) {
      const place = homes.place(service.toString())
      return place === homes.incarnation ? undefined : place
    },
    confirmLease: () => homes.confirmLease(),
    verifyHome: jid => roomDomains.includes(jid.domain) ? rooms.verify(jid) : accounts.verify(jid),
    replicate (state) {
      undo.push(replicated.add(name, state))
      return (account, fields, body) => {
        if (!account.isAnonymous) records.append(account as Account, name, fields.join('\n'), body)
      }
    },
  }
}
