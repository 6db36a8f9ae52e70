/** Extensions' stream features, and their handlers for top-level elements that are no stanzas (nonzas). */
import type { NonzaHandler, OfferedStream, Resumption } from '../extension/requests.ts'
import type { Session } from '../session/session.ts'
import { addTo } from '../util/add-to.ts'
import type { Element } from '../xml/element.ts'
import type { Jid } from '../xmpp/jid.ts'

type SwitchOn = (element: Element, session: Session) => Element | undefined
type Resume = (element: Element, account: Jid | undefined) => Resumption | Promise<Resumption>

type ResumedSession = Resumption & { readonly session?: Session }

type FeatureState = 'before-auth' | 'after-auth'
type Feature = (stream: OfferedStream, session: Session | undefined) => Element | undefined

export class StreamTable {
  readonly #features: Readonly<Record<FeatureState, Feature[]>> = { 'before-auth': [], 'after-auth': [] }
  readonly #lists = new Map<string, string>()
  /** By namespace, then by name: most elements of a stream are nonzas, and a key of both would be made for each. */
  readonly #nonzas = new Map<string, Map<string, NonzaHandler>>()
  readonly #switches = new Map<string, SwitchOn>()
  readonly #loginFeatures: Element[] = []
  readonly #resumes = new Map<string, Resume>()

  /** The function that is returned removes the feature. */
  addFeature (when: FeatureState, feature: Feature): () => void {
    return this.#addTo(this.#features[when], feature)
  }

  /** The features of streams with the same `key`: built once, since logins come in storms. */
  list (key: string, make: () => readonly Element[]): string {
    let list = this.#lists.get(key)
    if (list === undefined) {
      list = make().join('')
      this.#lists.set(key, list)
    }
    return list
  }

  features (when: FeatureState, stream: OfferedStream, session?: Session): readonly Element[] {
    return this.#features[when].flatMap(feature => feature(stream, session) ?? [])
  }

  /** The function that is returned removes the handler. */
  addNonza (name: string, ns: string, handler: NonzaHandler): () => void {
    const handlers = this.#nonzas.get(ns) ?? new Map<string, NonzaHandler>()
    if (handlers.has(name)) throw new Error(`<${name} xmlns='${ns}'/> has a handler already`)
    this.#nonzas.set(ns, handlers.set(name, handler))
    return () => { handlers.delete(name) }
  }

  nonza (name: string, ns: string): NonzaHandler | undefined {
    return this.#nonzas.get(ns)?.get(name)
  }

  /** A feature that clients may enable within Bind 2, by its namespace. */
  addSwitch (ns: string, switchOn: SwitchOn): () => void {
    this.#switches.set(ns, switchOn)
    this.#lists.clear()
    return () => {
      this.#switches.delete(ns)
      this.#lists.clear()
    }
  }

  get switches (): readonly string[] {
    return [...this.#switches.keys()]
  }

  /** The answer of the feature that the request enables, if it has one. */
  switchOn (element: Element, session: Session): Element | undefined {
    return this.#switches.get(element.getNS() ?? '')?.(element, session)
  }

  /** Inline features of SASL 2 besides Bind 2. */
  addLoginFeature (element: Element): () => void {
    return this.#addTo(this.#loginFeatures, element)
  }

  #addTo<T> (list: T[], item: T): () => void {
    const remove = addTo(list, item)
    this.#lists.clear()
    return () => {
      remove()
      this.#lists.clear()
    }
  }

  get loginFeatures (): readonly Element[] {
    return this.#loginFeatures
  }

  /** The handler of resumption requests, after a login or within a SASL 2 login; too early before it. */
  addResume (name: string, ns: string, resume: Resume): () => void {
    const key = `${name} ${ns}`
    this.#resumes.set(key, resume)
    return () => { this.#resumes.delete(key) }
  }

  async resume (element: Element, account: Jid | undefined): Promise<ResumedSession | undefined> {
    const resume = this.#resumes.get(`${element.getName()} ${element.getNS()}`)
    return await resume?.(element, account) as ResumedSession | undefined // whose sessions the core has made
  }
}
