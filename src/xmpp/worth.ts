/**
 * What a message is worth: whether it is kept in archives, copied to other devices, or wakes a phone. What its payloads
 * are worth is declared by who knows them; hints (XEP-0334) overrule that.
 */
import { NS_CLIENT } from './ns.ts'
import type { Message } from './stanza.ts'

export interface Worth { readonly store: boolean, readonly copy: boolean, readonly wake: boolean }

const NS_HINTS = 'urn:xmpp:hints'
const NOTHING: Worth = { store: false, copy: false, wake: false }
const SUBJECT: Worth = { store: true, copy: true, wake: false }
const EVERYTHING: Worth = { store: true, copy: true, wake: true }

interface Sum extends Worth {
  /** A hint says so. */
  readonly isAsked: boolean
  readonly isForbidden: boolean
  /** Something in it is known, and not to be kept. */
  readonly isFleeting: boolean
}

export class WorthTable {
  readonly #payloads = new Map<string, { readonly alone: Worth, readonly inRoom: Worth }>()

  /** `inRoom` is what it is worth in a room, where that differs. What is returned takes the declaration away again. */
  add (ns: string, alone: Worth, inRoom = alone): () => void {
    this.#payloads.set(ns, { alone, inRoom })
    return () => { this.#payloads.delete(ns) }
  }

  /** The sum of what its payloads are worth; a body is worth everything (XEP-0313 §6.1.1). */
  of (message: Message): Worth {
    if (message.type === 'error' || message.type === 'groupchat') return NOTHING
    const { store, copy, wake, isAsked, isForbidden } = this.#sum(message, 'alone')
    // XEP-0334 §4.4: asked for, a headline is kept too.
    return { store: !isForbidden && (isAsked || (store && message.type !== 'headline')), copy, wake }
  }

  /** The same for what is for all in a room, which keeps subjects too (XEP-0313 §6.1.2). */
  inRoom (message: Message): Worth {
    const { store, copy, wake, isAsked, isForbidden, isFleeting } = this.#sum(message, 'inRoom')
    // Clients ask for markers to be kept, which in a room come from everybody for everything.
    return { store: !isForbidden && (store || (isAsked && !isFleeting)), copy, wake }
  }

  #sum ({ children }: Message, where: 'alone' | 'inRoom'): Sum {
    let { store, copy, wake } = NOTHING
    let isAsked = false
    let isForbidden = false
    let isFleeting = false
    for (const { name, ns } of children) {
      if (ns === NS_HINTS) {
        if (name === 'no-store' || name === 'no-permanent-store') isForbidden = true
        else if (name === 'store') isAsked = true
        continue
      }
      const worth = ns === NS_CLIENT ? worthOfOwn(name, where) : this.#payloads.get(ns)?.[where]
      if (!worth) continue
      isFleeting ||= !worth.store
      store ||= worth.store
      copy ||= worth.copy
      wake ||= worth.wake
    }
    return { store, copy, wake, isAsked, isForbidden, isFleeting }
  }
}

function worthOfOwn (name: string, where: 'alone' | 'inRoom'): Worth | undefined {
  if (name === 'body') return EVERYTHING
  return name === 'subject' && where === 'inRoom' ? SUBJECT : undefined
}
