/** The other nodes, as one extension reaches them. */
import type { ClusterFacet } from '../../extension/facets/cluster.ts'
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
    ask: (node, text, body) => others.ask(node, name, text, body),
    answer (handler) {
      answerers.set(name, handler)
      undo.push(() => { answerers.delete(name) })
    },
    homeOf: async jid => (await homes.find(jid.bare.toString())).node,
    confirmLease: () => homes.confirmLease(),
    verifyHome: jid => roomDomains.includes(jid.domain) ? rooms.verify(jid) : accounts.verify(jid),
    replicate (state) {
      undo.push(replicated.add(name, state))
      return (account, about, body) => {
        if (!account.isAnonymous) records.append(account as Account, name, about, body)
      }
    },
  }
}
