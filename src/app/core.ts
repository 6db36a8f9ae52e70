/** Builds the server without its sockets: the parts on a stanza's way, and the extensions that surround them. */
import { accountCommands } from '../accounts/account-commands.ts'
import { Accounts } from '../accounts/accounts.ts'
import { forgetDirected, forgettingAtNodes } from '../accounts/forgetting.ts'
import { Incoming } from '../accounts/incoming.ts'
import { liveAccounts } from '../accounts/live-accounts.ts'
import { ServedHost } from '../accounts/served-host.ts'
import { Documents } from '../accounts/documents.ts'
import { accountStore } from '../accounts/store.ts'
import type { AccountStore } from '../accounts/store.ts'
import { Caps } from '../caps/caps.ts'
import { allows } from '../components/settings.ts'
import type { Components } from '../components/settings.ts'
import type { AccountCommands } from '../extension/facets/accounts.ts'
import type { ServerConnection } from '../extension/facets/federation.ts'
import type { Extension, ExtensionHost } from '../extension/host.ts'
import { inOrder } from '../extension/order.ts'
import { StageTable } from '../extension/stages.ts'
import { Host } from './extension-host/host.ts'
import type { Logger } from '../log.ts'
import type { MucLimits } from '../muc/limits.ts'
import { roomsDomain } from '../muc/context.ts'
import type { RoomAccounts } from '../muc/context.ts'
import { Rooms } from '../muc/rooms.ts'
import type { PubsubLimits } from '../pubsub/limits.ts'
import { Pubsub } from '../pubsub/pubsub.ts'
import type { PubsubParts } from '../pubsub/pubsub.ts'
import type { RoomsParts } from '../muc/rooms.ts'
import type { Parts } from './parts.ts'
import { Presences } from '../presence/presence.ts'
import type { RosterLimits } from '../roster/limits.ts'
import { registerRosterIq } from '../roster/roster-iq.ts'
import { Rosters } from '../roster/roster.ts'
import { rosterStore } from '../roster/store.ts'
import { Commands } from '../routing/commands.ts'
import { contactFields } from '../routing/contact.ts'
import { Disco } from '../routing/disco.ts'
import { IqTable } from '../routing/iq-table.ts'
import { Router } from '../routing/router.ts'
import { ReplicatedStates } from '../session/replicated-states.ts'
import { EventTable } from '../session/events.ts'
import type { Account } from '../session/account.ts'
import type { Homes, Others, Records, RoomRecords, Snapshot } from '../session/homes.ts'
import type { Session, SessionStream } from '../session/session.ts'
import type { Database } from '../storage/database.ts'
import { Reading } from '../storage/reading.ts'
import { serverSecret } from '../storage/server-secret.ts'
import { StreamTable } from '../stream/stream-table.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_SESSION } from '../xmpp/ns.ts'
import { ArchiveKeys } from '../xmpp/archive-ids.ts'
import type { Life } from '../xmpp/archive-ids.ts'
import { MessagePolicies } from '../xmpp/message-policy.ts'

/** An extension that is on, with the options that its schema parsed. */
export interface Loaded { readonly extension: Extension, readonly options: unknown }

/** The cluster's services that the core uses. */
export interface CoreCluster {
  readonly homes: Homes
  readonly records: Records & { start (describe: (account: Account) => Snapshot): void }
  readonly roomRecords: RoomRecords
  readonly others: Others
}

export interface CoreOptions {
  readonly hosts: readonly string[]
  readonly db: Database
  /** The same database through separate connections; without them everything shares those of `db`. */
  readonly pools?: { readonly messages: Database, readonly reading: Database } | undefined
  readonly log: Logger
  readonly extensions: readonly Loaded[]
  /** The names of all extensions, on or off, that `after` may refer to. */
  readonly known?: readonly string[]
  /** Undefined on a server that is not part of a cluster. */
  readonly cluster?: CoreCluster | undefined
  readonly muc?: MucLimits | undefined
  readonly pubsub?: PubsubLimits | undefined
  /** The limit for a presence stanza, in bytes. */
  readonly presenceBytes?: number | undefined
  readonly roster?: RosterLimits | undefined
  /** What components may do with accounts (XEP-0356). */
  readonly components?: Components | undefined
  /** Addresses of who runs the server (XEP-0157), by their kind. */
  readonly contact?: Readonly<Record<string, readonly string[]>> | undefined
  /** The open streams with other servers. */
  readonly serverStreams?: Iterable<ServerConnection> | undefined
}

export interface Core {
  readonly stages: StageTable
  readonly iqs: IqTable
  readonly disco: Disco
  readonly events: EventTable
  readonly streams: StreamTable
  readonly router: Router
  readonly accounts: Accounts
  readonly incoming: Incoming
  readonly store: AccountStore
  readonly commands: AccountCommands
  readonly rooms: Rooms
  readonly pubsub: Pubsub
  readonly policies: MessagePolicies
  readonly caps: Caps
  /** What another part of the server registers with, as an extension does: at once, and until the core is unloaded. */
  part (name: string): ExtensionHost
  /** Handles the end of a session's stream: the session waits for a resumption, where it may, or ends. */
  lost (session: Session, stream: SessionStream, mayResume: boolean): void
  /** Unloads the extensions in reverse order. */
  unload (): Promise<void>
}

export async function createCore (options: CoreOptions): Promise<Core> {
  const { hosts, db, pools = { messages: db, reading: db }, log, cluster } = options
  const stages = new StageTable(log)
  const iqs = new IqTable(log)
  const events = new EventTable(log)
  const streams = new StreamTable()
  const disco = new Disco()
  const router = new Router(stages, iqs, log)
  const store = accountStore(db)
  const rosters = createRosters(options, events)
  const policies = new MessagePolicies()
  const replicated = new ReplicatedStates(stages, events)
  const archiveKeys = new ArchiveKeys(() => serverSecret(db, 'archive-ids'))
  const homes = cluster?.homes
  const accounts = createAccounts(options, { stages, store, events, replicated, archiveKeys })
  const presences = new Presences(rosters, router, events, hosts, log, options.presenceBytes)
  const incoming = new Incoming({
    accounts, stages, router, presences, policies, archiveKeys, homes,
    isTaken: (message, account) => events.ask('message.unacked', message, account) === 'taken',
  })
  const commands = liveAccounts(accountCommands(store, hosts), { accounts, presences, events, log, homes })
  const rooms = createRooms(options, { router, stages, iqs, events, disco, archiveKeys }, accounts, store)
  const reading = new Reading(pools.reading)
  const pubsub = createPubsub(
    options, { reading, router, iqs, disco, events, rosters, accounts, archiveKeys }, store)
  const parts: Parts = {
    rooms, pubsub, policies, archiveWriters: new Map(), archive: {}, commandTable: new Commands(disco), hosts,
    documents: new Documents(), db, messageDb: pools.messages, reading, archiveKeys, log, stages, iqs, events, streams,
    disco, router, rosters, accounts, presences, incoming, replicated, cluster, answerers: new Map(), commands,
    serverStreams: options.serverStreams ?? [],
  }
  const { caps, loaded } = await load(options, parts, presences, store)
  return {
    stages, iqs, disco, events, streams, router, accounts, incoming, store, commands, rooms, pubsub, policies, caps,
    part: name => addHost(loaded, new Host(name, parts)),
    lost: (session, stream, mayResume) => { lose(session, stream, mayResume, parts) },
    async unload () { for (const host of loaded.reverse()) await host.unload() },
  }
}

function lose (
  session: Session, stream: SessionStream, mayResume: boolean, { events, accounts }: Pick<Parts, 'events' | 'accounts'>,
): void {
  if (session.stream !== stream) return // it was resumed with another
  session.detach()
  if (!mayResume || events.ask('session.ending', session) !== 'keep') accounts.end(session)
}

function createRosters ({ db, roster }: CoreOptions, events: EventTable): Rosters {
  return new Rosters(rosterStore(db), roster, (account, push, change) => {
    events.emit('roster.changed', account, push)
    events.emit('contact.changed', account, change)
  })
}

function createAccounts (
  { cluster, log, hosts }: CoreOptions,
  { stages, store, events, replicated, archiveKeys }:
    Pick<Parts, 'stages' | 'events' | 'replicated' | 'archiveKeys'> & { readonly store: AccountStore },
): Accounts {
  cluster?.records.start(account => replicated.snapshot(account))
  return new Accounts({
    log,
    stages,
    archiveKeys,
    lifeOf: jid => store.lifeOf(jid),
    ended: session => { events.emit('session.ended', session) },
    cluster: cluster && {
      ...cluster,
      beforeMove: account => events.emitAll('account.beforeMove', account),
      movedAway: (account, sessions) => { events.emit('account.movedAway', account, sessions) },
      restore: async (account, saved) => {
        const goOn = await replicated.restore(account, saved)
        await forgetDirected(account, saved.savedAt ?? 0, hosts, store.lifeOf)
        return goOn
      },
    },
  })
}

function createRooms (
  { db, log, hosts, muc: limits, cluster }: CoreOptions,
  parts: Pick<RoomsParts, 'router' | 'stages' | 'iqs' | 'events' | 'disco' | 'archiveKeys'>,
  accounts: Accounts, store: AccountStore,
): Rooms {
  return new Rooms({ ...parts, accounts: knownAccounts(hosts, accounts, store), db, log, hosts, limits, cluster })
}

function createPubsub (
  { db, log, hosts, pubsub: limits, cluster }: CoreOptions,
  parts: Pick<PubsubParts, 'reading' | 'router' | 'iqs' | 'disco' | 'events' | 'rosters' | 'accounts' | 'archiveKeys'>,
  store: AccountStore,
): Pubsub {
  const isPersistent = async (jid: Jid): Promise<boolean> => await store.find(jid) !== undefined
  return new Pubsub({ ...parts, isPersistent, db, log, hosts, limits, homes: cluster?.homes })
}

/** The accounts, as rooms ask about them. */
function knownAccounts (hosts: readonly string[], accounts: Accounts, store: AccountStore): RoomAccounts {
  return {
    exists: async jid => await accounts.locate(jid) !== undefined,
    isPersistent: async jid => await store.find(jid) !== undefined,
    lifeOf (jid) {
      if (!hosts.includes(jid.domain)) return ''
      const account = accounts.peek(jid)
      return account ? markOf(account.life) : store.lifeOf(jid).then(markOf)
    },
  }
}

/** Empty for accounts that are older than these marks, so that rooms find what they stored about them. */
function markOf (life: Life | undefined): string {
  return !life || life.hadNumbers ? '' : life.madeAt
}

/** Connects the parts: the hosts and their rooms to the router, presence and rosters to the accounts. */
function serve (
  { hosts, router, accounts, rosters, incoming, rooms, cluster, answerers, archiveKeys }: Parts, presences: Presences,
): void {
  cluster?.others.answer((from, extension, text, body) => answerers.get(extension)?.(from, text, body) ?? '')
  router.setPresenceOutlet(presences)
  accounts.setPresences(presences)
  accounts.addData(rosters.slot)
  const keys = { key: Symbol('archive keys'), load: () => archiveKeys.load() }
  accounts.addData(keys)
  rooms.addData(keys)
  for (const host of hosts) {
    router.serve(host, new ServedHost(router, incoming))
    router.serve(roomsDomain(host), rooms)
  }
}

/** Registers the core's own iq handlers, features and commands, which use the same calls as an extension's. */
function registerOwn (
  parts: Parts, caps: Caps, presences: Presences, lifeOf: AccountStore['lifeOf'],
  { contact, components = {} }: Pick<CoreOptions, 'contact' | 'components'>,
): readonly Host[] {
  const { rooms, pubsub, rosters, accounts, disco, commandTable } = parts
  const core = new Host('core', parts)
  registerRosterIq(core, {
    rosters,
    load: jid => accounts.load(jid),
    dropSubscriptions: (account, contact, before) => presences.dropSubscriptions(account, contact, before),
    mayManage: ({ domain }, type) => {
      const component = Object.hasOwn(components, domain) ? components[domain] : undefined
      return component && allows(component.privileges.roster, type)
    },
  })
  disco.register(core, async (jid, from) => {
    const account = await accounts.load(jid)
    return account !== undefined && (from.bare.equals(account.jid) || rosters.isSubscriber(account, from))
  }, pubsub.discovery)
  commandTable.register(core)
  core.stream.feature('before-auth', ({ host }) => disco.caps(host))
  core.stream.feature('after-auth', ({ host }) => disco.caps(host))
  core.iq({ type: 'set', to: ['own-account', 'server'], name: 'session', ns: NS_SESSION }, () => {})
  if (contact) disco.addServerFields(() => contactFields(contact))
  const muc = new Host('muc', parts)
  rooms.register(muc, forgettingAtNodes(core, accounts, presences, lifeOf))
  const nodes = new Host('pubsub', parts)
  pubsub.register(nodes, caps)
  return [core, muc, nodes]
}

function addHost (hosts: Host[], host: Host): Host {
  hosts.push(host)
  return host
}

/** Registers the core's own parts, then the extensions in order. */
async function load (
  { extensions, known = [], contact, components }: CoreOptions, parts: Parts, presences: Presences, store: AccountStore,
): Promise<{ readonly caps: Caps, readonly loaded: Host[] }> {
  const capsHost = new Host('caps', parts)
  const caps = new Caps({ host: capsHost, ...parts })
  const loaded = [...registerOwn(parts, caps, presences, store.lifeOf, { contact, components }), capsHost]
  serve(parts, presences)
  const optionsOf = new Map(extensions.map(({ extension, options }) => [extension, options]))
  for (const extension of inOrder([...optionsOf.keys()], known)) {
    const host = new Host(extension.name, parts)
    await extension.setup(host, optionsOf.get(extension))
    loaded.push(host)
  }
  return { caps, loaded }
}
