/** The servers that scripts are played against, each with accounts for the scripts. */
import { rmSync } from 'node:fs'
import { startEjabberd } from './peers/ejabberd.ts'
import { startHeliograph } from './peers/heliograph.ts'
import { startNodes } from './peers/nodes.ts'
import { startProsody } from './peers/prosody.ts'
import type { Server } from './peers/server.ts'
import type { Endpoint } from './runner/client.ts'
import { register, type Account } from './runner/register.ts'

export type ServerName = 'ours' | 'prosody' | 'ejabberd'

export const SERVERS: readonly ServerName[] = ['ours', 'prosody', 'ejabberd']

type Start = (extensions: readonly string[], folder?: string) => Promise<Server>

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
}

/** Starts the server with what these extensions need, makes the accounts, and ends it when `work` is done. */
export async function withServer (
  { name, nodes, tls }: Played, extensions: readonly string[], accounts: readonly Account[],
  work: (nodes: readonly Endpoint[]) => Promise<void>,
): Promise<void> {
  const start: Start = nodes === 1 ? STARTERS[name] : (needs, folder) => startNodes(nodes, needs, folder)
  // Without extensions ours knows no registration: the accounts are made beforehand, in the same folder.
  const bare = name === 'ours' && extensions.length === 0
  let server = await start(bare ? ['registration'] : extensions)
  try {
    const [port = 0] = server.ports
    for (const account of accounts) await register({ port, tls: false }, account)
    if (bare) {
      await server.end()
      server = await start([], server.folder)
    }
    await work(server.ports.map(one => ({ port: one, tls })))
  } finally {
    await server.end()
    rmSync(server.folder, { recursive: true, force: true })
  }
}
