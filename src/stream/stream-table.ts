/** What extensions add to streams: features to the list that a stream offers, and handlers for elements that are no stanzas. */
import type { NonzaHandler, StreamPeer } from '../extension/api.ts'
import type { Element } from '../xml/element.ts'

type FeatureState = 'before-auth' | 'after-auth'
type Feature = (peer: StreamPeer) => Element | undefined

export class StreamTable {
  readonly #features: Readonly<Record<FeatureState, Feature[]>> = { 'before-auth': [], 'after-auth': [] }
  readonly #nonzas = new Map<string, NonzaHandler>()

  /** What is returned takes the feature away again. */
  addFeature (when: FeatureState, feature: Feature): () => void {
    const features = this.#features[when]
    features.push(feature)
    return () => { features.splice(features.indexOf(feature), 1) }
  }

  features (when: FeatureState, peer: StreamPeer): readonly Element[] {
    return this.#features[when].flatMap(feature => feature(peer) ?? [])
  }

  /** What is returned takes the handler away again. */
  addNonza (name: string, ns: string, handler: NonzaHandler): () => void {
    const key = `${name} ${ns}`
    if (this.#nonzas.has(key)) throw new Error(`<${name} xmlns='${ns}'/> has a handler already`)
    this.#nonzas.set(key, handler)
    return () => { this.#nonzas.delete(key) }
  }

  nonza (name: string, ns: string): NonzaHandler | undefined {
    return this.#nonzas.get(`${name} ${ns}`)
  }
}
