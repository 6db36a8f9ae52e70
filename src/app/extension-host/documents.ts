/** Documents of accounts, as one extension reaches them. */
import type { DocumentsFacet } from '../../extension/facets/documents.ts'
import type { Registration } from './registration.ts'

export function documentsFacet ({ parts: { documents, events }, undo }: Registration): DocumentsFacet {
  return {
    keep (keeper) { undo.push(documents.add(keeper)) },
    read: (account, name, ns) => documents.read(account, name, ns),
    change: (account, name, ns, change) => documents.change(account, name, ns, change),
    saved: (account, document) => events.emitAll('document.saved', account, document),
  }
}
