/**
 * The policy of messages: whether they are archived, copied to other devices, or worth waking a phone. Messages to
 * users are archived unless all their payloads are declared not to be; messages to rooms only if one is declared to be.
 * Extensions declare the policies of payloads; hints (XEP-0334) override them.
 */
import { NS_CLIENT, NS_HINTS, NS_MUC_USER } from './ns.ts'
import type { Message } from './stanza.ts'

export interface MessagePolicy { readonly archive: boolean, readonly carbon: boolean, readonly push: boolean }

/** Payloads that only accompany others, or have no meaning later (XEP-0047). */
const BESIDES: ReadonlySet<string> = new Set([
  'urn:xmpp:sid:0', 'urn:xmpp:delay', 'jabber:x:delay', 'urn:xmpp:occupant-id:0', 'urn:xmpp:carbons:2',
  'urn:xmpp:eme:0', 'http://jabber.org/protocol/nick', 'http://jabber.org/protocol/address',
  'http://jabber.org/protocol/ibb', 'http://jabber.org/protocol/chatstates',
])
const NOTHING: MessagePolicy = { archive: false, carbon: false, push: false }
const SUBJECT: MessagePolicy = { archive: true, carbon: true, push: false }
const KEPT_ERROR: MessagePolicy = { archive: true, carbon: false, push: true }
const EVERYTHING: MessagePolicy = { archive: true, carbon: true, push: true }

interface Sum extends MessagePolicy {
  /** The hint `store`. */
  readonly isAsked: boolean
  /** The hints `no-store` and `no-permanent-store`. */
  readonly isForbidden: boolean
  /** Whether a payload is declared not to be archived. */
  readonly isFleeting: boolean
}

export class MessagePolicies {
  readonly #payloads = new Map<string, { readonly alone: MessagePolicy, readonly inRoom: MessagePolicy }>()
  /** The last answer: a message is asked about several times in a row. */
  #last: Pick<Message, 'children' | 'type'> & { readonly policy: MessagePolicy } | undefined

  /** Declares the policy of a payload; `inRoom` is that in rooms, if it differs. The returned function removes it. */
  add (ns: string, alone: MessagePolicy, inRoom = alone): () => void {
    this.#payloads.set(ns, { alone, inRoom })
    this.#last = undefined
    return () => {
      this.#payloads.delete(ns)
      this.#last = undefined
    }
  }

  /**
   * The sum of the payloads' policies; a body has all (XEP-0313 §6.1.1). XEP-0160 §3: a mere chat state is not
   * archived, everything else of type normal or chat is; an error if it asks to be (XEP-0334 §4.4).
   */
  of (message: Message): MessagePolicy {
    if (message.type === 'error' && message.has('store', NS_HINTS)) return KEPT_ERROR
    if (message.type === 'error' || message.type === 'groupchat') return NOTHING
    const { children, type } = message
    if (this.#last?.children === children && this.#last.type === type) return this.#last.policy
    const policy = this.#read(message)
    this.#last = { children, type, policy }
    return policy
  }

  #read (message: Message): MessagePolicy {
    const { archive, carbon, push, isAsked, isForbidden } = this.#sum(message, 'alone')
    const mayStore = !isForbidden && (isAsked || message.type !== 'headline') // XEP-0334 §4.4
    return { archive: mayStore && (isAsked || archive || this.#holdsMore(message)), carbon, push }
  }

  /** Whether the message may be dropped without an error, such as a late chat state. */
  isWorthless (message: Message): boolean {
    return !this.#sum(message, 'alone').archive && !this.#holdsMore(message)
  }

  /** Whether there is a payload without a declared policy. */
  #holdsMore (message: Message): boolean {
    return message.children.some(({ name, ns }) => {
      if (ns === NS_CLIENT) return name !== 'thread'
      // Anything but invitations is the room's current state.
      if (ns === NS_MUC_USER) return isInvitation(message)
      return ns !== NS_HINTS && !BESIDES.has(ns) && !this.#payloads.has(ns)
    })
  }

  /** The policy of a message to all occupants of a room; subjects are archived, too (XEP-0313 §6.1.2). */
  inRoom (message: Message): MessagePolicy {
    const { archive, carbon, push, isAsked, isForbidden, isFleeting } = this.#sum(message, 'inRoom')
    // Clients add the hint `store` to chat markers, which in a room every member sends for every message.
    return { archive: !isForbidden && (archive || (isAsked && !isFleeting)), carbon, push }
  }

  #sum ({ children }: Message, where: 'alone' | 'inRoom'): Sum {
    const sum = { archive: false, carbon: false, push: false, isAsked: false, isForbidden: false, isFleeting: false }
    for (const { name, ns } of children) {
      if (ns === NS_HINTS) {
        addHint(sum, name)
        continue
      }
      const policy = ns === NS_CLIENT ? policyOfOwn(name, where) : this.#payloads.get(ns)?.[where]
      if (!policy) continue
      sum.isFleeting ||= !policy.archive
      sum.archive ||= policy.archive
      sum.carbon ||= policy.carbon
      sum.push ||= policy.push
    }
    return sum
  }
}

function addHint (sum: { isAsked: boolean, isForbidden: boolean }, name: string): void {
  if (name === 'no-store' || name === 'no-permanent-store') sum.isForbidden = true
  else if (name === 'store') sum.isAsked = true
}

/** The policy of a child in the stanza's own namespace. */
function policyOfOwn (name: string, where: 'alone' | 'inRoom'): MessagePolicy | undefined {
  if (name === 'body') return EVERYTHING
  return name === 'subject' && where === 'inRoom' ? SUBJECT : undefined
}

/** Whether it is an invitation or a decline (XEP-0045 §7.8). */
function isInvitation (message: Message): boolean {
  // Most messages of rooms contain neither word, and need no tree.
  if (!message.inner.includes('invite') && !message.inner.includes('decline')) return false
  const said = message.payload('x', NS_MUC_USER)
  return said?.getChild('invite', NS_MUC_USER) !== undefined || said?.getChild('decline', NS_MUC_USER) !== undefined
}
