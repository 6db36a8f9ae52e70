/**
 * The streams of this node's sessions whose clients are connected to other nodes: handles the edges' requests to bind
 * or resume, and hands each stream its packets.
 */
import type { Bus, NodeId } from '../../cluster/bus/bus.ts'
import type { EnterAnswer, EnterRequest } from '../../cluster/bus/protocol.ts'
import type { WriteBarrier } from '../../net/write-barrier.ts'
import type { Account } from '../../session/account.ts'
import { eachInSlices, neverRejects } from '../../util/background.ts'
import { parseStored } from '../../xml/stored.ts'
import type { Element } from '../../xml/element.ts'
import { StanzaError, StreamError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT } from '../../xmpp/ns.ts'
import { storedStanza } from '../../xmpp/read-stanza.ts'
import { LocalBinder } from '../binder.ts'
import type { BinderParts } from '../binder.ts'
import type { Login } from '../sasl/exchange.ts'
import { errorRecord } from './wire-format.ts'
import { RemoteStream } from './remote-stream.ts'

const NOT_HOME: EnterAnswer = { isHome: false, elements: [] }

/** What the streams need of the cluster. */
export interface RemoteStreamsCluster {
  readonly bus: Bus
  readonly barrier: WriteBarrier
}

/** One for the whole node. */
export class RemoteStreams {
  readonly #cluster: RemoteStreamsCluster
  readonly #parts: BinderParts
  readonly #byEdge = new Map<NodeId, Map<string, RemoteStream>>()

  constructor (cluster: RemoteStreamsCluster, parts: BinderParts) {
    const { bus } = cluster
    this.#cluster = cluster
    this.#parts = parts
    bus.answer('stream.enter', (edge, request) => this.#enter(edge, request))
    bus.hear('stream.element', (edge, { stream }, element) => { this.#find(edge, stream)?.take(element) })
    bus.hear('stream.read', (edge, { stream, bytes }) => { this.#find(edge, stream)?.read(bytes) })
    bus.hear('stream.ping', (edge, { stream }) => { this.#find(edge, stream)?.ping() })
    bus.hear('stream.lost', (edge, { stream, mayResume, isClosed }) => {
      this.#find(edge, stream)?.lost(mayResume, isClosed)
    })
    bus.whenBroken(edge => { this.#broken(edge) })
  }

  /** Nothing of that edge reaches a stream any more; the sessions hear of it in slices. */
  #broken (edge: NodeId): void {
    const streams = this.#byEdge.get(edge)?.values() ?? []
    this.#byEdge.delete(edge)
    const { log } = this.#parts
    neverRejects(eachInSlices(log, 'streams of an edge that is gone', streams, stream => { stream.lost(true) }))
  }

  async #enter (edge: NodeId, request: EnterRequest): Promise<EnterAnswer> {
    const login: Login = { jid: Jid.parse(request.account), anonymous: request.isAnonymous, madeAt: request.madeAt }
    const stream = this.#open(edge, request)
    const binder = new LocalBinder(this.#parts, stream)
    try {
      const located = await this.#parts.accounts.locate(login.jid)
      if (!located || 'node' in located) return NOT_HOME
      // Ownership follows the client: an account without other streams here moves to the client's node.
      if (!hasStream(located.account)) {
        await this.#parts.accounts.giveUp(located.account, edge)
        if (this.#parts.accounts.peek(login.jid) === undefined) return NOT_HOME
      }
      return this.#admit(stream, binder, request, await goIn(binder, request, login))
    } catch (error) {
      binder.link?.lost(true)
      stream.lost(true)
      if (error instanceof StanzaError) throw error // the bus returns it to the edge
      return { isHome: true, elements: [], error: errorRecord(this.#streamError(error, stream)) }
    } finally {
      if (!binder.link) this.#forget(stream)
    }
  }

  #open (edge: NodeId, request: EnterRequest): RemoteStream {
    const streams = this.#byEdge.get(edge) ?? new Map<string, RemoteStream>()
    this.#byEdge.set(edge, streams)
    const { log } = this.#parts
    const { bus, barrier } = this.#cluster
    const stream = new RemoteStream(request, { bus, barrier, edge, log, closed: stream => { this.#forget(stream) } })
    streams.set(stream.id, stream)
    return stream
  }

  /** The answer. The session is active at once, as its edge holds back output until the client has the answer. */
  #admit (
    stream: RemoteStream, binder: LocalBinder, request: EnterRequest, elements: readonly string[],
  ): EnterAnswer {
    const { link, isResumed } = binder
    if (!link) return { isHome: true, elements }
    const features = request.how === 'complete' ? binder.features(request) : undefined
    stream.bound(link)
    const { id, edge } = stream
    this.#parts.log.debug({ event: 'session.client_remote', session: link.jid.toString(), edge, stream: id },
      'session: client connected to another node')
    binder.activate()
    return { isHome: true, elements, jid: link.jid.toString(), isResumed, features }
  }

  #streamError (error: unknown, { id, edge }: RemoteStream): StreamError {
    if (error instanceof StreamError) return error
    this.#parts.log.error({ event: 'stream.failed', err: error, stream: id, edge }, 'stream: failed')
    return new StreamError('internal-server-error')
  }

  /** Ends all streams, whose sessions continue elsewhere. */
  close (error: StreamError): void {
    for (const streams of this.#byEdge.values()) for (const stream of streams.values()) stream.close(error)
  }

  #find (edge: NodeId, id: string): RemoteStream | undefined {
    return this.#byEdge.get(edge)?.get(id)
  }

  #forget (stream: RemoteStream): void {
    const streams = this.#byEdge.get(stream.edge)
    streams?.delete(stream.id)
    if (streams?.size === 0) this.#byEdge.delete(stream.edge)
  }
}

function hasStream ({ sessions }: Account): boolean {
  return sessions.some(({ stream }) => stream !== undefined)
}

/** Binds or resumes as the edge asks; returns the answers for the client. */
async function goIn (binder: LocalBinder, request: EnterRequest, login: Login): Promise<readonly string[]> {
  const [first = ''] = request.elements
  switch (request.how) {
    case 'complete': return (await complete(binder, request, login)).map(String)
    case 'bind': {
      const stanza = storedStanza(first)
      if (stanza.kind !== 'iq') throw new StreamError('not-authorized')
      return [(await binder.bind(stanza, login)).toXml(NS_CLIENT)]
    }
    case 'resume': {
      const reply = await binder.resume(parseStored(first), login)
      return reply ? [reply.toString()] : []
    }
  }
}

async function complete (
  binder: LocalBinder, { elements, bind, clientId }: EnterRequest, login: Login,
): Promise<readonly Element[]> {
  const answer = await binder.complete(login, {
    userAgent: { id: clientId, software: undefined, device: undefined },
    bind: bind && { tag: bind.tag, features: bind.features.map(parseStored) },
    inline: elements.map(parseStored),
  })
  return answer.elements
}
