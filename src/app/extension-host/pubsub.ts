/** Nodes of accounts, as one extension reaches them. */
import type { PubsubFacet } from '../../extension/facets/pubsub.ts'
import type { Registration } from './registration.ts'

export function pubsubFacet ({ parts: { pubsub }, undo }: Registration): PubsubFacet {
  return {
    node (name, behaviour) { undo.push(pubsub.addBehaviour(name, behaviour)) },
    publish: (account, node, item, demanded) => pubsub.publish(account, node, item, demanded),
    options: (account, node) => pubsub.options(account, node),
    items: (account, node, ids) => pubsub.items(account, node, ids),
    archive: (owner, node, asker) => pubsub.archive(owner, node, asker),
    withhold (of) { undo.push(pubsub.addWithholding(of)) },
    retract: (account, node, id) => pubsub.retract(account, node, id),
  }
}
