/**
 * The table of iq handlers by type, target, name and namespace. A handler's return value is the result, its StanzaError
 * the error (RFC 6120 §8.2.3); a request without a handler is answered with `service-unavailable`.
 */
import type { IqHandler, IqRequest, IqRoute, IqSender, IqTarget } from '../extension/requests.ts'
import type { Logger } from '../log.ts'
import type { Element } from '../xml/element.ts'
import type { Child } from '../xml/framer.ts'
import type { Written } from '../xml/written.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { errorReply, result } from '../xmpp/stanza.ts'
import type { Iq, Stanza } from '../xmpp/stanza.ts'

/**
 * Answers all requests of a namespace to the server and its accounts (XEP-0355), `to` whom they are also where the
 * client left that out; as an `IqHandler`.
 */
export type IqDelegate = (request: Iq, to: Jid) => Promise<Element | Written | void>

interface Delegate {
  readonly extension: string
  /** Whose own requests are answered as if there were no delegate. */
  readonly domain: string
  readonly run: IqDelegate
}

interface Entry { readonly extension: string, readonly isInTurn: boolean, readonly run: IqHandler<never> }

/** A request with a payload that is parsed only when a handler uses it. */
class Request implements IqRequest {
  readonly type: 'get' | 'set'
  readonly id: string | undefined
  readonly from: Jid
  readonly to: Jid
  readonly #iq: Iq
  readonly #child: Child
  #payload: Element | undefined

  constructor (iq: Iq, child: Child, from: Jid, to: Jid) {
    this.type = iq.type === 'set' ? 'set' : 'get'
    this.id = iq.id
    this.from = from
    this.to = to
    this.#iq = iq
    this.#child = child
  }

  get payload (): Element { return this.#payload ??= this.#iq.tree(this.#child) }
  get written (): Written { return this.#iq.written(this.#child) }
}

export class IqTable {
  readonly #entries = new Map<string, Entry>()
  readonly #delegates = new Map<string, Delegate>()
  readonly #log: Logger

  constructor (log: Logger) {
    this.#log = log
  }

  /** Registers the handler for each of the route's targets; the returned function removes it. */
  add<Target extends IqTarget> (extension: string, route: IqRoute<Target>, run: IqHandler<Target>): () => void {
    const keys = route.to.map(target => keyOf(route.type, target, route.name, route.ns))
    for (const key of keys) {
      const other = this.#entries.get(key)
      if (other) throw new Error(`${extension} and ${other.extension} both answer ${key}`)
      this.#entries.set(key, { extension, isInTurn: route.isInTurn === true, run })
    }
    return () => { for (const key of keys) this.#entries.delete(key) }
  }

  /** Has all requests of the namespace answered by `run`, except those of `domain`; the returned function ends that. */
  delegate (extension: string, ns: string, domain: string, run: IqDelegate): () => void {
    if (this.#delegates.has(ns)) throw new Error(`${ns} is delegated twice`)
    this.#delegates.set(ns, { extension, domain, run })
    return () => { this.#delegates.delete(ns) }
  }

  /** Whether there is a handler of that request for that target. */
  has (request: Iq, target: IqTarget): boolean {
    return this.#find(request, [target]) !== undefined
  }

  /** Whether a room takes its next stanza only after the answer to that request. */
  isInTurn (request: Iq): boolean {
    return this.#find(request, ['room'])?.isInTurn === true
  }

  /**
   * Answers a request through `reply`, which is called exactly once: before this returns where the handler is
   * synchronous. `to` is the address that the request is for, also where the client left it out.
   */
  answer<Target extends IqTarget> (
    request: Iq, targets: readonly Target[], to: Jid, from: Jid, sender: IqSender<Target>,
    reply: (answer: Stanza) => void,
  ): void | Promise<void> {
    const entry = this.#delegated(request, targets, to, from) ?? this.#find(request, targets)
    const [child] = request.children
    if (!entry || !child) return reply(errorReply(request, new StanzaError('service-unavailable')))
    try {
      const answer = (entry.run as IqHandler<Target>)(new Request(request, child, from, to), sender)
      if (!(answer instanceof Promise)) return reply(result(request, answer ?? undefined))
      return answer.then(
        payload => { reply(result(request, payload ?? undefined)) },
        error => { reply(errorReply(request, this.#refusal(error, entry, request))) })
    } catch (error) {
      reply(errorReply(request, this.#refusal(error, entry, request)))
    }
  }

  /** XEP-0355 §4.3: not for rooms, nor for an address that is no account's. */
  #delegated (request: Iq, targets: readonly IqTarget[], to: Jid, from: Jid): Entry | undefined {
    if (this.#delegates.size === 0) return
    const [child] = request.children
    const delegate = child && this.#delegates.get(child.ns)
    if (!delegate || from.domain === delegate.domain || !targets.some(isDelegable)) return
    return { extension: delegate.extension, isInTurn: false, run: () => delegate.run(request, to) }
  }

  #find (request: Iq, targets: readonly IqTarget[]): Entry | undefined {
    const [child] = request.children
    if (!child) return
    for (const target of targets) {
      const entry = this.#entries.get(keyOf(request.type, target, child.name, child.ns))
      if (entry) return entry
    }
  }

  #refusal (err: unknown, { extension }: Entry, request: Iq): StanzaError {
    if (err instanceof StanzaError) return err
    this.#log.error({ event: 'iq.handler_failed', err, extension, stanza: request.summary() }, 'iq: handler failed')
    return new StanzaError('internal-server-error', undefined, undefined, 'wait')
  }
}

function isDelegable (target: IqTarget): boolean {
  return target === 'server' || target === 'own-account' || target === 'account'
}

function keyOf (type: string, target: IqTarget, name: string, ns: string): string {
  return `${type} ${target} ${name} ${ns}`
}
