/** What extensions add to streams: features to the list that a stream offers, handlers for elements that are no stanzas. */
import type { NonzaHandler, OfferedStream } from '../extension/api.ts'
import type { Element } from '../xml/element.ts'

type FeatureState = 'before-auth' | 'after-auth'
type Feature = (stream: OfferedStream) => Element | undefined

export class StreamTable {
  readonly #features: Readonly<Record<FeatureState, Feature[]>> = { 'before-auth': [], 'after-auth': [] }
  readonly #lists = new Map<string, string>()
  readonly #nonzas = new Map<string, NonzaHandler>()

  /** What is returned takes the feature away again. */
  addFeature (when: FeatureState, feature: Feature): () => void {
    const features = this.#features[when]
    features.push(feature)
    this.#lists.clear()
    return () => {
      features.splice(features.indexOf(feature), 1)
      this.#lists.clear()
    }
  }

  /** The list of features for streams that are alike in everything that `key` says: made once, since logins come in storms. */
  list (key: string, make: () => readonly Element[]): string {
    let list = this.#lists.get(key)
    if (list === undefined) {
      list = make().join('')
      this.#lists.set(key, list)
    }
    return list
  }

  features (when: FeatureState, stream: OfferedStream): readonly Element[] {
    return this.#features[when].flatMap(feature => feature(stream) ?? [])
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
