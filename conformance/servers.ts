/** The servers that scripts are played against, each with accounts for the scripts. */
import { rmSync } from 'node:fs'
import { startEjabberd } from './peers/ejabberd.ts'
import { startHeliograph } from './peers/heliograph.ts'
import { startNodes } from './peers/nodes.ts'
import { startProsody } from './peers/prosody.ts'
import type { NameServer, Server } from './peers/server.ts'
import type { Endpoint } from './runner/client.ts'
import { register, type Account } from './runner/register.ts'

export type ServerName = 'ours' | 'prosody' | 'ejabberd'

export const SERVERS: readonly ServerName[] = ['ours', 'prosody', 'ejabberd']

type Start = (extensions: readonly string[], folder?: string, dns?: NameServer) => Promise<Server>

const STARTERS: Readonly<Record<ServerName, Start>> = {
  ours: startHeliograph, prosody: startProsody, ejabberd: startEjabberd,
}

export function isServer (name: string): name is ServerName {
  return SERVERS.some(server => server === name)
}

export interface Played {
  readonly name: ServerName
  /** Of how many nodes ours is made; 1 for one that is no cluster. */
  readonly nodes: number
  readonly tls: boolean
  /** What it asks for other servers; where there is none, it talks to none. */
  readonly dns: NameServer | undefined
}

/** Starts the server with what these extensions need, makes the accounts, and ends it when `work` is done. */
export async function withServer (
  { name, nodes, tls, dns }: Played, extensions: readonly string[], accounts: readonly Account[],
  work: (nodes: readonly Endpoint[]) => Promise<void>,
): Promise<void> {
  const start: Start = nodes === 1 ? STARTERS[name] : (needs, folder, names) => startNodes(nodes, needs, folder, names)
  // Without extensions ours knows no registration: the accounts are made beforehand, in the same folder.
  const bare = name === 'ours' && extensions.length === 0
  let server = await start(bare ? ['registration'] : extensions, undefined, dns)
  try {
    const [port = 0] = server.ports
    for (const account of accounts) await register({ port, tls: false }, account)
    if (bare) {
      await server.end()
      server = await start([], server.folder, dns)
    }
    await work(server.ports.map((one, index) => ({ port: one, serverPort: server.serverPorts[index], tls })))
  } finally {
    await server.end()
    rmSync(server.folder, { recursive: true, force: true })
  }
}
