/** The server of this repository in a federation, through nothing but its commands and its configuration file. */
import { execFile } from 'node:child_process'
import { openSync, closeSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { stringify } from 'yaml'
import { startProgram } from '../../conformance/peers/server.ts'
import type { Line } from '../server/installation.ts'
import { makePlace, startAt, type FederatedServer, type Neighbourhood, type Place } from './server.ts'

const ENTRY = join(import.meta.dirname, '..', '..', 'heliograph.mjs')

const CONFIG = 'server.yaml'

export const HELIOGRAPH = 'heliograph.example'

/** Keys of `federation`, as the file has them. */
export type FederationKeys = Readonly<Record<string, unknown>>

/**
 * Starts it with these keys besides what the neighbourhood says; where it says more, they come first. `others` are keys
 * of the whole configuration, `domains` are served besides the first.
 */
export async function startHeliograph (
  neighbourhood: Neighbourhood, keys: FederationKeys = {}, domain = HELIOGRAPH, others: FederationKeys = {},
  domains: readonly string[] = [],
): Promise<FederatedServer> {
  const place = await makePlace(neighbourhood, domain, undefined, domains)
  const config = join(place.folder, CONFIG)
  writeFileSync(config, stringify({ ...configuration(place, keys, domains), ...others }))
  return startAt(place, async () => {
    const log = openSync(logFile(place), 'a')
    try {
      const parameters = [ENTRY, 'serve', '--config', config]
      const options = { cwd: place.folder, stdio: ['ignore' as const, log, log] }
      return await startProgram(process.execPath, parameters, place.ports.client, options)
    } finally {
      closeSync(log)
    }
  })
}

/** The lines of its log with this event, and with these values, once there is one. */
export async function expectLogged (
  { place }: FederatedServer, event: string, values: Readonly<Record<string, unknown>> = {},
): Promise<readonly Line[]> {
  const found = (): readonly Line[] => linesOf(place).filter(line => line['event'] === event
    && Object.entries(values).every(([key, value]) => line[key] === value))
  await expect.poll(() => found().length, { message: `${event} in the log` }).toBeGreaterThan(0)
  return found()
}

/** What a command of the command line prints. */
export async function run ({ place }: FederatedServer, ...command: readonly string[]): Promise<string> {
  const parameters = [ENTRY, ...command, '--config', join(place.folder, CONFIG)]
  const { stdout } = await promisify(execFile)(process.execPath, parameters)
  return stdout
}

/** So many messages wait at ours for the other domain: `heliograph status` says so. */
export async function expectWaiting (server: FederatedServer, domain: string, count: number): Promise<void> {
  const row = new RegExp(`^${domain} .* ([0-9]+)  `, 'm')
  await expect.poll(async () => {
    return row.exec(await run(server, 'status'))?.[1] ?? '0' // no row: nothing waits, and there is no stream
  }, { message: `what waits for ${domain}` }).toBe(String(count))
}

function linesOf (place: Place): readonly Line[] {
  return readFileSync(logFile(place), 'utf8').split('\n').filter(text => text.startsWith('{'))
    .map(text => JSON.parse(text) as Line)
}

function logFile ({ folder }: Place): string {
  return join(folder, 'server.log')
}

/** What its file says. */
export function configuration (
  { domain, folder, ports, files, trust, dns }: Place, keys: FederationKeys = {},
  domains: readonly string[] = [],
): object {
  return {
    hosts: [domain, ...domains],
    data: join(folder, 'data'),
    tls: { certificate: files.certificate, key: files.key },
    listen: {
      'client': `127.0.0.1:${ports.client}`, 'server': `127.0.0.1:${ports.server}`,
      'server-tls': `127.0.0.1:${ports.serverTls}`,
    },
    auth: { 'require-tls': false },
    registration: { 'open': true, 'per-address': 0 },
    federation: { trust, authorities: files.authority, resolver: `${dns.host}:${dns.port}`, ...keys },
    log: { level: 'debug', pretty: false },
  }
}
