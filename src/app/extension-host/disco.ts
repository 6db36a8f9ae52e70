/** Service discovery, as one extension declares it. */
import type { DiscoFacet } from '../../extension/facets/disco.ts'
import { NS_INFO } from '../../routing/disco.ts'
import { el } from '../../xml/element.ts'
import { iq } from '../../xmpp/stanza.ts'
import type { Registration } from './registration.ts'

export function discoFacet ({ parts: { disco, router }, undo }: Registration): DiscoFacet {
  return {
    feature (ns, of = 'server') { undo.push(disco.addFeature(ns, of)) },
    accountFeature (ns, hosts) { undo.push(disco.addAccountFeature(ns, hosts)) },
    info (form, of = 'server') { undo.push(disco.addForm(form, of)) },
    serverFields (fields) { undo.push(disco.addServerFields(fields)) },
    async featuresOf (server, host) {
      const answer = await router.requests.ask(iq('get', { from: host, to: server }, el('query', NS_INFO)))
      if (answer.type !== 'result') return
      const features = answer.payload('query', NS_INFO)?.getChildren('feature', NS_INFO) ?? []
      return new Set(features.flatMap(({ attrs }) => attrs.var ?? []))
    },
  }
}
