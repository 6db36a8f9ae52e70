/** Service discovery, as one extension declares it. */
import type { DiscoFacet } from '../../extension/facets/disco.ts'
import type { Registration } from './registration.ts'

export function discoFacet ({ parts: { disco }, undo }: Registration): DiscoFacet {
  return {
    feature (ns, of = 'server') { undo.push(disco.addFeature(ns, of)) },
    accountFeature (ns, hosts) { undo.push(disco.addAccountFeature(ns, hosts)) },
    info (form, of = 'server') { undo.push(disco.addForm(form, of)) },
  }
}
