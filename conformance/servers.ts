/** The servers that scripts are played against, each with accounts for the scripts. */
import { rmSync } from 'node:fs'
import { startEjabberd } from './peers/ejabberd.ts'
import { startHeliograph } from './peers/heliograph.ts'
import { startProsody } from './peers/prosody.ts'
import type { Server } from './peers/server.ts'
import { register, type Account } from './runner/register.ts'

export type ServerName = 'ours' | 'prosody' | 'ejabberd'

export const SERVERS: readonly ServerName[] = ['ours', 'prosody', 'ejabberd']

const STARTERS: Readonly<Record<ServerName, (extensions: readonly string[]) => Promise<Server>>> = {
  ours: startHeliograph, prosody: startProsody, ejabberd: startEjabberd,
}

export function isServer (name: string): name is ServerName {
  return SERVERS.some((server) => server === name)
}

/** Starts the server with what these extensions need, makes the accounts, and ends it when `work` is done. */
export async function withServer (
  name: ServerName, extensions: readonly string[], accounts: readonly Account[], work: (port: number) => Promise<void>,
): Promise<void> {
  // Without extensions ours knows no registration: the accounts are made beforehand, in the same folder.
  const bare = name === 'ours' && extensions.length === 0
  let server = await STARTERS[name](bare ? ['registration'] : extensions)
  try {
    for (const account of accounts) await register({ port: server.port, tls: false }, account)
    if (bare) {
      await server.end()
      server = await startHeliograph([], server.folder)
    }
    await work(server.port)
  } finally {
    await server.end()
    rmSync(server.folder, { recursive: true, force: true })
  }
}
