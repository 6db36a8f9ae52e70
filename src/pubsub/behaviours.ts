/** What the features on top of nodes add to the nodes of one name in accounts, such as the one for avatars. */
import type { NodeBehaviour } from '../extension/facets/pubsub.ts'
import type { Logger } from '../log.ts'
import { addTo } from '../util/add-to.ts'
import type { Written } from '../xml/written.ts'
import type { Jid } from '../xmpp/jid.ts'
import { ACCOUNT_DEFAULTS, changedBy, SERVICE_DEFAULTS } from './node-config.ts'
import type { NodeConfig } from './node-config.ts'
import { isService } from './node.ts'

export class Behaviours {
  readonly #byNode = new Map<string, NodeBehaviour[]>()
  readonly #log: Logger

  constructor (log: Logger) {
    this.#log = log
  }

  /** Adds a behaviour of the nodes of that name; what is returned takes it away again. */
  add (node: string, behaviour: NodeBehaviour): () => void {
    const all = this.#byNode.get(node) ?? []
    this.#byNode.set(node, all)
    return addTo(all, behaviour)
  }

  /** Whether there are any for that node. */
  has (owner: Jid, node: string): boolean {
    return this.#of(owner, node).length > 0
  }

  /** The configuration of a new node. */
  defaultsOf (owner: Jid, node: string): NodeConfig {
    if (isService(owner)) return SERVICE_DEFAULTS
    return this.#of(owner, node).reduce((config, { defaults }) => defaults
      ? changedBy(new Map(Object.entries(defaults)), config) : config, ACCOUNT_DEFAULTS)
  }

  /** The payload to publish in place of that one; throws the StanzaError that refuses it. */
  async before (owner: Jid, node: string, id: string, payload: Written): Promise<Written> {
    let changed = payload
    for (const { publishing } of this.#of(owner, node)) {
      changed = await publishing?.(owner, { id, payload: changed }) ?? changed
    }
    return changed
  }

  async published (owner: Jid, node: string, id: string, payload: string): Promise<void> {
    await this.#tell(owner, node, ({ published }) => published?.(owner, { id, payload }))
  }

  async retracted (owner: Jid, node: string, ids: readonly string[] | 'all'): Promise<void> {
    await this.#tell(owner, node, ({ retracted }) => retracted?.(owner, ids))
  }

  async #tell (owner: Jid, node: string, call: (one: NodeBehaviour) => void | Promise<void>): Promise<void> {
    for (const behaviour of this.#of(owner, node)) {
      try {
        await call(behaviour)
      } catch (err) {
        this.#log.error({ event: 'pubsub.feature_failed', err, node }, 'pubsub: feature of a node failed')
      }
    }
  }

  #of (owner: Jid, node: string): readonly NodeBehaviour[] {
    return isService(owner) ? [] : this.#byNode.get(node) ?? []
  }
}
