/**
 * What a message is worth: whether it is kept in archives, copied to other devices, or wakes a phone. What somebody
 * sends to somebody is kept unless it is known to be worth nothing; of what is said in a room only what is known to be
 * worth something is. Who knows a payload declares what it is worth; hints (XEP-0334) overrule that.
 */
import { NS_CLIENT, NS_MUC_USER } from './ns.ts'
import type { Message } from './stanza.ts'

export interface MessagePolicy { readonly archive: boolean, readonly carbon: boolean, readonly push: boolean }

const NS_HINTS = 'urn:xmpp:hints'
/** What stands beside what a message is about, and is nothing without it; and what means nothing later (XEP-0047). */
const BESIDES: ReadonlySet<string> = new Set([
  'urn:xmpp:sid:0', 'urn:xmpp:delay', 'jabber:x:delay', 'urn:xmpp:occupant-id:0', 'urn:xmpp:carbons:2', 'urn:xmpp:eme:0',
  'http://jabber.org/protocol/nick', 'http://jabber.org/protocol/address', 'http://jabber.org/protocol/ibb',
  'http://jabber.org/protocol/chatstates',
])
const NOTHING: MessagePolicy = { archive: false, carbon: false, push: false }
const SUBJECT: MessagePolicy = { archive: true, carbon: true, push: false }
const EVERYTHING: MessagePolicy = { archive: true, carbon: true, push: true }

interface Sum extends MessagePolicy {
  /** A hint says so. */
  readonly isAsked: boolean
  readonly isForbidden: boolean
  /** Something in it is known, and not to be kept. */
  readonly isFleeting: boolean
}

export class MessagePolicies {
  readonly #payloads = new Map<string, { readonly alone: MessagePolicy, readonly inRoom: MessagePolicy }>()

  /** `inRoom` is what it is worth in a room, where that differs. What is returned takes the declaration away again. */
  add (ns: string, alone: MessagePolicy, inRoom = alone): () => void {
    this.#payloads.set(ns, { alone, inRoom })
    return () => { this.#payloads.delete(ns) }
  }

  /**
   * The sum of what its payloads are worth; a body is worth everything (XEP-0313 §6.1.1). XEP-0160 §3: a chat state
   * alone is not kept, and everything else of type normal or chat is.
   */
  of (message: Message): MessagePolicy {
    if (message.type === 'error' || message.type === 'groupchat') return NOTHING
    const { archive: store, carbon: copy, push: wake, isAsked, isForbidden } = this.#sum(message, 'alone')
    const mayStore = !isForbidden && (isAsked || message.type !== 'headline') // XEP-0334 §4.4: asked for, a headline is kept too
    return { archive: mayStore && (isAsked || store || this.#holdsMore(message)), carbon: copy, push: wake }
  }

  /** Whether nobody loses anything when nobody gets it: a chat state that comes too late. */
  isWorthless (message: Message): boolean {
    return !this.#sum(message, 'alone').archive && !this.#holdsMore(message)
  }

  /** Whether there is something in it of which nobody has said what it is worth. */
  #holdsMore (message: Message): boolean {
    return message.children.some(({ name, ns }) => {
      if (ns === NS_CLIENT) return name !== 'thread'
      // What a room says besides is how it is just now.
      if (ns === NS_MUC_USER) return isInvitation(message)
      return ns !== NS_HINTS && !BESIDES.has(ns) && !this.#payloads.has(ns)
    })
  }

  /** The same for what is for all in a room, which keeps subjects too (XEP-0313 §6.1.2). */
  inRoom (message: Message): MessagePolicy {
    const { archive: store, carbon: copy, push: wake, isAsked, isForbidden, isFleeting } = this.#sum(message, 'inRoom')
    // Clients ask for markers to be kept, which in a room come from everybody for everything.
    return { archive: !isForbidden && (store || (isAsked && !isFleeting)), carbon: copy, push: wake }
  }

  #sum ({ children }: Message, where: 'alone' | 'inRoom'): Sum {
    let { archive: store, carbon: copy, push: wake } = NOTHING
    let isAsked = false
    let isForbidden = false
    let isFleeting = false
    for (const { name, ns } of children) {
      if (ns === NS_HINTS) {
        if (name === 'no-store' || name === 'no-permanent-store') isForbidden = true
        else if (name === 'store') isAsked = true
        continue
      }
      const policies = ns === NS_CLIENT ? worthOfOwn(name, where) : this.#payloads.get(ns)?.[where]
      if (!policies) continue
      isFleeting ||= !policies.archive
      store ||= policies.archive
      copy ||= policies.carbon
      wake ||= policies.push
    }
    return { archive: store, carbon: copy, push: wake, isAsked, isForbidden, isFleeting }
  }
}

function worthOfOwn (name: string, where: 'alone' | 'inRoom'): MessagePolicy | undefined {
  if (name === 'body') return EVERYTHING
  return name === 'subject' && where === 'inRoom' ? SUBJECT : undefined
}

/** XEP-0045 §7.8: an invitation, or what answers it. Most of what rooms say holds neither word. */
function isInvitation (message: Message): boolean {
  if (!message.inner.includes('invite') && !message.inner.includes('decline')) return false
  const said = message.payload('x', NS_MUC_USER)
  return said?.getChild('invite', NS_MUC_USER) !== undefined || said?.getChild('decline', NS_MUC_USER) !== undefined
}
