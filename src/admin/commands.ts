/** The commands of the admin socket, with the same types at both ends. */
import type { AccountCommands } from '../extension/facets/accounts.ts'
import type { FederationStatus } from '../s2s/status.ts'
import { Jid } from '../xmpp/jid.ts'
import type { AdminClient } from './admin-client.ts'
import type { AdminArguments, AdminServer } from './admin-server.ts'

export interface ServerStatus {
  readonly pid: number
  readonly version: string
  readonly node: string
  readonly uptimeSeconds: number
  readonly hosts: readonly string[]
  readonly listeners: readonly ListenerStatus[]
  readonly sessions: number
  /** Every node of the cluster, this one included; empty without a cluster. */
  readonly nodes: readonly NodeStatus[]
  /** Other servers that something waits for, or that there is a stream with, as this node knows them; null without. */
  readonly federation: FederationStatus | null
  readonly memoryBytes: number
  /** `embedded`, or the URL without its password. */
  readonly database: string
}

export interface NodeStatus {
  /** The node's name and incarnation. */
  readonly id: string
  /** Null while it is starting. */
  readonly load: NodeLoad | null
}

/** The status that a node publishes once a second. */
export interface NodeLoad {
  /** Sessions of its accounts, wherever their clients are connected. */
  readonly sessions: number
  /** Clients that are connected to it. */
  readonly streams: number
  /** Accounts that it owns, in memory. */
  readonly homes: number
  /** The age of the last packet when it was read. */
  readonly busLagMs: number
  readonly isLeaving: boolean
}

export interface ListenerStatus {
  /** The listener's key in the config. */
  readonly name: string
  readonly host: string
  readonly port: number
}

/** Commands about the queue of a remote domain, at whichever node has it; reject where there is no such queue. */
export interface FederationCommands {
  /** Connects now to a domain that could not be reached. */
  retry (domain: string): Promise<void>
  /** Gives all that waits for the domain back to the senders; resolves with the number of messages. */
  drop (domain: string): Promise<number>
}

export interface ServerCommands {
  readonly accounts: AccountCommands
  readonly federation: FederationCommands
  status (): Promise<ServerStatus>
  /** Begins an orderly shutdown; sessions continue at other nodes. */
  drain (): Promise<void>
  /** Reads the config and certificates again; resolves with the changed keys that need a restart. */
  reload (): Promise<readonly string[]>
}

/** Adds the commands to the admin socket. */
export function serveCommands (admin: AdminServer, commands: ServerCommands): void {
  const { accounts, federation } = commands
  admin.command('user.add', args => accounts.add(jidOf(args), textOf(args, 'password')))
  admin.command('user.remove', args => accounts.remove(jidOf(args)))
  admin.command('user.password', args => accounts.setPassword(jidOf(args), textOf(args, 'password')))
  admin.command('user.list', async () => (await accounts.list()).map(String))
  admin.command('federation.retry', args => federation.retry(textOf(args, 'domain')))
  admin.command('federation.drop', args => federation.drop(textOf(args, 'domain')))
  admin.command('status', () => commands.status())
  admin.command('drain', () => commands.drain())
  admin.command('reload', () => commands.reload())
}

/** The commands of the server at the other end of the socket. */
export function remoteCommands (client: AdminClient): ServerCommands {
  return {
    accounts: {
      async add (jid, password) { await client.ask('user.add', { jid: jid.toString(), password }) },
      async remove (jid) { await client.ask('user.remove', { jid: jid.toString() }) },
      async setPassword (jid, password) { await client.ask('user.password', { jid: jid.toString(), password }) },
      async list () { return (await client.ask<readonly string[]>('user.list')).map(jid => Jid.parse(jid)) },
    },
    federation: {
      async retry (domain) { await client.ask('federation.retry', { domain }) },
      drop: domain => client.ask<number>('federation.drop', { domain }),
    },
    status: () => client.ask<ServerStatus>('status'),
    async drain () { await client.ask('drain') },
    reload: () => client.ask<readonly string[]>('reload'),
  }
}

function jidOf (args: AdminArguments): Jid {
  return Jid.parse(textOf(args, 'jid'))
}

function textOf (args: AdminArguments, name: string): string {
  const value = args[name]
  if (typeof value !== 'string') throw new Error(`the command needs "${name}"`)
  return value
}
