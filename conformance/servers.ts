/** The servers that scripts are played against, each with accounts for the scripts. */
import { startEjabberd } from './peers/ejabberd.ts'
import { addUsers, startHeliograph } from './peers/heliograph.ts'
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

/** Starts the server with these extensions and no other, makes the accounts, and stops it when `work` is done. */
export async function withServer (
  name: ServerName, extensions: readonly string[], accounts: readonly Account[], work: (port: number) => Promise<void>,
): Promise<void> {
  const server = await STARTERS[name](extensions)
  try {
    if (name === 'ours') await addUsers(server, accounts)
    else for (const account of accounts) await register({ port: server.port, tls: false }, account)
    await work(server.port)
  } finally {
    await server.stop()
  }
}
