/**
 * What a message is worth: whether it is kept in archives, copied to other devices, or wakes a phone. What its payloads
 * are worth is declared by who knows them; hints (XEP-0334) overrule that.
 */
import type { Message } from './stanza.ts'

export interface Worth { readonly store: boolean, readonly copy: boolean, readonly wake: boolean }

const NS_HINTS = 'urn:xmpp:hints'
const NOTHING: Worth = { store: false, copy: false, wake: false }
const EVERYTHING: Worth = { store: true, copy: true, wake: true }

export class WorthTable {
  readonly #payloads = new Map<string, Worth>()

  /** What is returned takes the declaration away again. */
  add (ns: string, worth: Worth): () => void {
    this.#payloads.set(ns, worth)
    return () => { this.#payloads.delete(ns) }
  }

  /** The sum of what its payloads are worth; a body is worth everything (XEP-0313 §6.1.1). */
  of (message: Message): Worth {
    if (message.type === 'error' || message.type === 'groupchat') return NOTHING
    let { store, copy, wake } = NOTHING
    let isAsked = false
    let isForbidden = false
    for (const { name, ns } of message.children) {
      if (ns === NS_HINTS) {
        if (name === 'no-store' || name === 'no-permanent-store') isForbidden = true
        else if (name === 'store') isAsked = true
        continue
      }
      const worth = name === 'body' && ns === 'jabber:client' ? EVERYTHING : this.#payloads.get(ns)
      if (!worth) continue
      store ||= worth.store
      copy ||= worth.copy
      wake ||= worth.wake
    }
    // XEP-0334 §4.4: asked for, a headline is kept too.
    return { store: !isForbidden && (isAsked || (store && message.type !== 'headline')), copy, wake }
  }
}
