/** The commands of the admin socket, typed at both ends: what a server answers is what a client has asked for. */
import type { AccountCommands } from '../extension/facets/accounts.ts'
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
  /** Every node of the cluster, this one included; none where it is alone. */
  readonly nodes: readonly NodeStatus[]
  readonly memoryBytes: number
  /** `embedded`, or the URL without its password. */
  readonly database: string
}

export interface NodeStatus {
  /** Its name and what tells this run of it from others: its epoch. */
  readonly id: string
  /** Null while it is starting. */
  readonly load: NodeLoad | null
}

/** What a node tells the others of itself, once a second. */
export interface NodeLoad {
  /** Of accounts whose home it is, wherever their clients are connected. */
  readonly sessions: number
  /** Clients that are connected to it. */
  readonly streams: number
  /** Accounts that it has in memory. */
  readonly homes: number
  /** How old the last news was that it read. */
  readonly busLagMs: number
  readonly isLeaving: boolean
}

export interface ListenerStatus {
  /** Its key in the config. */
  readonly name: string
  readonly host: string
  readonly port: number
}

export interface ServerCommands {
  readonly accounts: AccountCommands
  status (): Promise<ServerStatus>
  /** Begins to end in good order; its sessions go on at other nodes. */
  drain (): Promise<void>
  /** Reads the config and certificates again; resolves with the keys that have changed and need a restart. */
  reload (): Promise<readonly string[]>
}

/** Lets the socket answer with what `commands` do. */
export function serveCommands (admin: AdminServer, commands: ServerCommands): void {
  const { accounts } = commands
  admin.command('user.add', args => accounts.add(jidOf(args), textOf(args, 'password')))
  admin.command('user.remove', args => accounts.remove(jidOf(args)))
  admin.command('user.password', args => accounts.setPassword(jidOf(args), textOf(args, 'password')))
  admin.command('user.list', async () => (await accounts.list()).map(String))
  admin.command('status', () => commands.status())
  admin.command('drain', () => commands.drain())
  admin.command('reload', () => commands.reload())
}

/** The commands of the server that is at the other end. */
export function remoteCommands (client: AdminClient): ServerCommands {
  return {
    accounts: {
      async add (jid, password) { await client.ask('user.add', { jid: jid.toString(), password }) },
      async remove (jid) { await client.ask('user.remove', { jid: jid.toString() }) },
      async setPassword (jid, password) { await client.ask('user.password', { jid: jid.toString(), password }) },
      async list () { return (await client.ask<readonly string[]>('user.list')).map(jid => Jid.parse(jid)) },
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
