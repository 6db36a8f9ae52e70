/**
 * The server of this repository as its administrator starts it, embedded database and all; only the limits for
 * strangers are lifted, because all clients here have one address.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { DatabaseAddress } from '../database.ts'
import type { Command, FederationPlace, Kind, Place } from './peer.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

/** More than are ever written ahead of the other server. */
const MOST_WAITING = 1_000_000

export const heliograph: Kind = {
  name: 'ours',
  require: () => {},
  owner: () => undefined,
  archiveTable: 'archive_message',
  configure: place => configureHeliograph(place),
}

/** `more` is configured besides, or in place of what is said here. */
export function configureHeliograph (
  { domain, folder, port, certificate, key, archive, federation }: Place, more: Readonly<Record<string, string>> = {},
): Command {
  const config = join(folder, 'server.yaml')
  writeFileSync(config, stringify({
    hosts: [domain],
    data: join(folder, 'data'),
    database: archive ? databaseUrl(archive) : 'embedded',
    tls: { certificate, key },
    listen: { client: `127.0.0.1:${port}`, ...federation && { server: `127.0.0.1:${federation.port}` } },
    ...federation && { federation: federationSettings(federation) },
    auth: { 'require-tls': false },
    registration: { open: true, 'per-address': 0 },
    limits: { 'bytes-per-second': 0, 'streams-per-address': 0, 'failed-logins-per-minute': 0 },
    ...archive ? {} : { extensions: { archive: false, offline: false } }, // as the others here, it keeps nothing
    log: { level: 'warn' },
    ...more,
  }))
  return { program: process.execPath, parameters: [MAIN, 'serve', '--config', config] }
}

function federationSettings ({ authority, dns }: FederationPlace): Readonly<Record<string, unknown>> {
  const unlimited = { 'queue': MOST_WAITING, 'bytes-per-second': 0 } // the others have no shapers here either
  return { authorities: authority, resolver: `${dns.host}:${dns.port}`, ...unlimited }
}

export function databaseUrl ({ user, port, database }: DatabaseAddress): string {
  return `postgres://${user}@127.0.0.1:${port}/${database}`
}
