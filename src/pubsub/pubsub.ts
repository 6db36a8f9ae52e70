/**
 * XEP-0060: Publish-Subscribe and XEP-0163: Personal Eventing Protocol: one engine for the nodes of all accounts and
 * those of the service at pubsub.HOST.
 */
import type { Accounts } from '../accounts/accounts.ts'
import { tellReads } from '../accounts/reads.ts'
import type { ExtensionHost } from '../extension/host.ts'
import type { NodeArchive, NodeBehaviour, StoredItem } from '../extension/facets/pubsub.ts'
import { NS_COMMANDS } from '../routing/commands.ts'
import type { Disco, PubsubNodes } from '../routing/disco.ts'
import type { IqTable } from '../routing/iq-table.ts'
import type { Router } from '../routing/router.ts'
import type { Rosters } from '../roster/roster.ts'
import type { EventTable } from '../session/events.ts'
import type { Homes } from '../session/homes.ts'
import type { Database } from '../storage/database.ts'
import type { Reading } from '../storage/reading.ts'
import type { Logger } from '../log.ts'
import { addTo } from '../util/add-to.ts'
import { neverRejects } from '../util/background.ts'
import type { Written } from '../xml/written.ts'
import type { ArchiveKeys } from '../xmpp/archive-ids.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_PUBSUB_EVENT } from '../xmpp/pubsub.ts'
import type { Message, Stanza } from '../xmpp/stanza.ts'
import { Behaviours } from './behaviours.ts'
import { rosterContacts } from './contacts.ts'
import type { Context } from './context.ts'
import { Deliveries } from './deliveries.ts'
import { declareFeatures, discoverNodes } from './disco.ts'
import { Engine } from './engine.ts'
import { Notifier } from './events.ts'
import type { Interests } from './interests.ts'
import { DEFAULT_PUBSUB_LIMITS } from './limits.ts'
import type { PubsubLimits } from './limits.ts'
import { fieldsOf } from './node-config.ts'
import { openArchive } from './node-archive.ts'
import { isService } from './node.ts'
import { Personal } from './personal.ts'
import type { Withholding } from './personal.ts'
import { answerIn, answerPending, decide, isAnswer } from './requests/approval.ts'
import { Publications } from './requests/publish.ts'
import { Requests, ROUTES } from './requests/requests.ts'
import { pubsubDomain, PubsubService } from './service.ts'
import { deleteExpired, readItems } from './store.ts'

/** The interval at which expired items are deleted, and how many in one statement. */
const EXPIRE_MS = 60_000
const EXPIRE_AT_ONCE = 1000

export interface PubsubParts {
  readonly db: Database
  readonly reading: Reading
  readonly router: Router
  readonly iqs: IqTable
  readonly disco: Disco
  readonly archiveKeys: ArchiveKeys
  readonly rosters: Rosters
  readonly events: EventTable
  readonly accounts: Pick<Accounts, 'peek'>
  /** Whether the account outlives its streams: anonymous ones do not. */
  readonly isPersistent: (account: Jid) => Promise<boolean>
  readonly hosts: readonly string[]
  readonly log: Logger
  readonly limits?: PubsubLimits | undefined
  /** Undefined on a server that is not part of a cluster. */
  readonly homes?: Homes | undefined
}

export class Pubsub {
  readonly #parts: PubsubParts
  readonly #pubsub: Context
  readonly #publications: Publications
  readonly #requests: Requests
  #personal: Personal | undefined
  readonly #withholdings: Withholding[] = []
  readonly #deliveries = new Deliveries()
  /** Where the stanzas for pubsub.HOST go. */
  readonly service: PubsubService

  constructor (parts: PubsubParts) {
    this.#parts = parts
    const { db, reading, rosters, accounts, hosts, limits = DEFAULT_PUBSUB_LIMITS, log } = parts
    const behaviours = new Behaviours(log)
    const find = (jid: Jid) => accounts.peek(jid)
    const engine = new Engine({
      db, reading, limits,
      contacts: rosterContacts(db, rosters, find),
      notifier: new Notifier({
        post: (stanza, owner) => { this.#post(stanza, owner) },
        audienceOf: node => this.#personal?.audienceOf(node) ?? [],
      }),
      defaultsOf: (owner, name) => behaviours.defaultsOf(owner, name),
      checkCreator: (owner, creator) => this.#checkCreator(owner, creator, limits, hosts),
    })
    this.#pubsub = {
      engine, behaviours, db, log, settled: asker => tellReads(parts, asker), sent: owner => this.#sent(owner),
    }
    this.#publications = new Publications(this.#pubsub)
    this.#requests = new Requests(this.#pubsub, this.#publications)
    this.service = new PubsubService({
      ...parts, homes: parts.homes, receiveMessage: (message, from, to) => this.#receiveMessage(message, from, to),
    })
  }

  /** An account's guards see what is sent in its name: its block list holds. */
  #post (stanza: Stanza, owner: Jid): void {
    const account = isService(owner) ? undefined : this.#parts.accounts.peek(owner)
    const { router, homes } = this.#parts
    const done = account ? router.postFor(stanza, { account }) : router.postAndWait(stanza)
    if (done && homes) this.#deliveries.add(owner, done)
  }

  /** As `Context.sent`. */
  async #sent (owner: Jid): Promise<void> {
    const { homes } = this.#parts
    if (homes) await Promise.all([homes.forwarded(), this.#deliveries.handedOver(owner)])
  }

  async #checkCreator (
    owner: Jid, creator: Jid, { create }: PubsubLimits, hosts: readonly string[],
  ): Promise<void> {
    if (!isService(owner)) {
      if (!creator.bare.equals(owner)) throw new StanzaError('forbidden')
      return
    }
    if (create === 'anyone' || creator.equals(owner)) return
    const isOurs = create === 'local' && hosts.includes(creator.domain) && await this.#parts.isPersistent(creator.bare)
    if (!isOurs) throw new StanzaError('forbidden')
  }

  /** Takes a message to an account or the service that is for its nodes, and bounces what it refuses. */
  async #receiveMessage (message: Message, from: Jid, to: Jid): Promise<void> {
    if (message.type === 'error') return
    const { log, router } = this.#parts
    try {
      const values = answerIn(message)
      if (!values) throw new StanzaError('service-unavailable')
      await decide(this.#pubsub, to, from, values)
    } catch (error) {
      if (!(error instanceof StanzaError)) {
        log.error({ event: 'pubsub.message_failed', err: error }, 'pubsub: message to a node failed')
      }
      const refusal = error instanceof StanzaError
        ? error : new StanzaError('internal-server-error', undefined, undefined, 'wait')
      neverRejects(router.bounce(message, refusal)) // what failed is logged
    }
  }

  /** What service discovery tells of nodes. */
  get discovery (): PubsubNodes {
    return discoverNodes(this.#pubsub, this.#parts.disco)
  }

  /** Registers the requests, features and handlers; `interests` says which events clients want. */
  register (host: ExtensionHost, interests: Interests): void {
    const { disco, db, hosts, router, accounts, rosters } = this.#parts
    const personal = this.#personal = new Personal({
      interests, rosters, hosts, account: jid => accounts.peek(jid), post: stanza => router.postAndWait(stanza),
      withholdings: this.#withholdings, context: this.#pubsub,
    })
    declareFeatures(host)
    disco.addService(({ domain }) => ({ jid: pubsubDomain(domain), name: 'Nodes' }))
    for (const route of ROUTES) {
      host.iq({ ...route, to: ['own-account'] }, (request, { account }) => {
        if (request.type === 'set' && account.isAnonymous) {
          throw new StanzaError('not-allowed', 'anonymous accounts cannot store data')
        }
        return this.#requests.answer(request)
      })
      host.iq({ ...route, to: ['account', 'pubsub'] }, request => this.#requests.answer(request))
      // As an account without nodes answers.
      host.iq({ ...route, to: ['address'] }, () => { throw new StanzaError('item-not-found') })
    }
    host.iq({ type: 'set', to: ['pubsub'], name: 'command', ns: NS_COMMANDS }, request =>
      answerPending(this.#pubsub, request))
    host.on('receive', 'redirect', (message, account) => {
      const { from, to = account.jid } = message
      if (!from || !to.isBare || !isAnswer(message)) return
      neverRejects(this.#receiveMessage(message, from, to))
      return []
    })
    personal.register(host)
    host.messages.declarePolicy(NS_PUBSUB_EVENT, { archive: false, carbon: false, push: false })
    host.every(EXPIRE_MS, async () => {
      while (await deleteExpired(db, EXPIRE_AT_ONCE) === EXPIRE_AT_ONCE);
    })
    for (const name of hosts) router.serve(pubsubDomain(name), this.service)
  }

  /** Adds a behaviour to the nodes of that name, in all accounts; what is returned takes it away again. */
  addBehaviour (name: string, behaviour: NodeBehaviour): () => void {
    return this.#pubsub.behaviours.add(name, behaviour)
  }

  /** As `PubsubFacet.withhold`; what is returned ends it. */
  addWithholding (of: Withholding): () => void {
    return addTo(this.#withholdings, of)
  }

  /** As `PubsubFacet`. */
  async publish (
    account: Jid, name: string, item: { readonly id?: string, readonly payload: Written },
    demanded?: Readonly<Record<string, readonly string[]>>,
  ): Promise<string> {
    const id = await this.#publications.publish({
      owner: account, name, by: account, item: { id: item.id, payload: item.payload },
      preconditions: demanded && new Map(Object.entries(demanded)),
    })
    return id ?? ''
  }

  /** As `PubsubFacet`. */
  async options (account: Jid, name: string): Promise<Readonly<Record<string, readonly string[]>> | undefined> {
    const node = await this.#pubsub.engine.look(account, name)
    return node && Object.fromEntries(fieldsOf(node.config).map(({ name: field, values }) => [field, values]))
  }

  /** As `PubsubFacet`. */
  async items (account: Jid, name: string, ids?: readonly string[]): Promise<readonly StoredItem[]> {
    const { engine } = this.#pubsub
    if (!await engine.find(account, name)) return []
    const { page } = await engine.page(
      account, name, account, (db, node) => readItems(db, node, { max: 1000, ids }), () => Promise.resolve())
    return page.items
  }

  /** As `PubsubFacet`. */
  archive (owner: Jid, name: string, asker: Jid): Promise<NodeArchive> {
    return openArchive(this.#pubsub, this.#parts.archiveKeys, owner, name, asker)
  }

  /** As `PubsubFacet`. */
  async retract (account: Jid, name: string, id: string): Promise<boolean> {
    if (!await this.#pubsub.engine.find(account, name)) return false
    return this.#publications.retract(account, name, id, true, account)
  }
}
