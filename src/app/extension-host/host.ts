/** The host of one extension: passes each call to a part of the core, and undoes it when the extension is unloaded. */
import { tellReads } from '../../accounts/reads.ts'
import type { AccountsFacet } from '../../extension/facets/accounts.ts'
import type { ClusterFacet } from '../../extension/facets/cluster.ts'
import type { DiscoFacet } from '../../extension/facets/disco.ts'
import type { DocumentsFacet } from '../../extension/facets/documents.ts'
import type { FederationFacet } from '../../extension/facets/federation.ts'
import type { MessagesFacet } from '../../extension/facets/messages.ts'
import type { PubsubFacet } from '../../extension/facets/pubsub.ts'
import type { RoomsFacet } from '../../extension/facets/rooms.ts'
import type { StreamFacet } from '../../extension/facets/stream.ts'
import type { ExtensionHost } from '../../extension/host.ts'
import type { Events, Point, Stages } from '../../extension/points.ts'
import type { Command, IqHandler, IqRoute, IqTarget } from '../../extension/requests.ts'
import { childLog } from '../../log.ts'
import type { Logger } from '../../log.ts'
import type { Database } from '../../storage/database.ts'
import { serverSecret } from '../../storage/server-secret.ts'
import { neverRejects } from '../../util/background.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Parts } from '../parts.ts'
import { accountsFacet } from './accounts.ts'
import { clusterFacet } from './cluster.ts'
import { discoFacet } from './disco.ts'
import { documentsFacet } from './documents.ts'
import { messagesFacet } from './messages.ts'
import { pubsubFacet } from './pubsub.ts'
import { roomsFacet } from './rooms.ts'
import { streamFacet } from './stream.ts'

export class Host implements ExtensionHost {
  readonly hosts: readonly string[]
  readonly log: Logger
  readonly db: Database
  readonly messageDb: Database
  readonly disco: DiscoFacet
  readonly stream: StreamFacet
  readonly messages: MessagesFacet
  readonly accounts: AccountsFacet
  readonly documents: DocumentsFacet
  readonly rooms: RoomsFacet
  readonly pubsub: PubsubFacet
  readonly federation: FederationFacet
  readonly cluster: ClusterFacet | undefined
  readonly #name: string
  readonly #parts: Parts
  readonly #undo: (() => void)[] = []
  readonly #atShutdown: (() => void | Promise<void>)[] = []

  constructor (name: string, parts: Parts) {
    this.#name = name
    this.#parts = parts
    this.hosts = parts.hosts
    this.log = childLog(parts.log, { extension: name })
    this.db = parts.db
    this.messageDb = parts.messageDb
    const registration = { name, parts, undo: this.#undo }
    this.disco = discoFacet(registration)
    this.stream = streamFacet(registration)
    this.messages = messagesFacet(registration)
    this.accounts = accountsFacet(registration)
    this.documents = documentsFacet(registration)
    this.rooms = roomsFacet(registration)
    this.pubsub = pubsubFacet(registration)
    this.federation = { connections: parts.serverStreams }
    this.cluster = parts.cluster && clusterFacet(registration, parts.cluster)
  }

  async readFor<T> (asker: Jid, work: (db: Database) => Promise<T>): Promise<T> {
    await tellReads(this.#parts, asker)
    return this.#parts.reading.for(asker, work)
  }

  on<P extends Point, S extends keyof Stages[P]> (point: P, stage: S, handler: Stages[P][S]): void {
    this.#undo.push(this.#parts.stages.add(this.#name, point, stage, handler))
  }

  when<E extends keyof Events> (event: E, handler: Events[E]): void {
    this.#undo.push(this.#parts.events.add(event, handler))
  }

  iq<const Target extends IqTarget> (route: IqRoute<Target>, handler: IqHandler<Target>): void {
    this.#undo.push(this.#parts.iqs.add(this.#name, route, handler))
  }

  command (command: Command): void {
    this.#undo.push(this.#parts.commandTable.add(command))
  }

  secret (name: string): Promise<Buffer> {
    return serverSecret(this.db, name)
  }

  every (milliseconds: number, task: () => void | Promise<void>): void {
    const timer = setInterval(() => { neverRejects(this.#run(task)) }, milliseconds) // what failed is logged
    timer.unref()
    this.#undo.push(() => { clearInterval(timer) })
  }

  atShutdown (task: () => void | Promise<void>): void {
    this.#atShutdown.push(task)
  }

  /** Runs the shutdown tasks and removes everything the extension has registered. */
  async unload (): Promise<void> {
    for (const task of this.#atShutdown.reverse()) await this.#run(task)
    for (const undo of this.#undo.reverse()) undo()
  }

  async #run (task: () => void | Promise<void>): Promise<void> {
    try {
      await task()
    } catch (error) {
      this.log.error({ event: 'extension.task_failed', err: error }, 'extension: task failed')
    }
  }
}
