/** `heliograph status`: prints the status of the running server. */
import type { ListenerStatus, NodeStatus, ServerStatus } from '../admin/commands.ts'
import type { FederationStatus, RemoteStatus } from '../s2s/status.ts'
import { CONFIG, readArguments } from './command.ts'
import type { Command } from './command.ts'
import { readConfig } from './read-config.ts'
import { withServer } from './running-server.ts'

/** The exit code of `status` when the service does not run (LSB). */
const NOT_RUNNING = 3

export const status: Command = {
  usage: ['status [--config FILE]'],
  summary: 'says how the running server is; exit 3 when none runs',
  async run (args) {
    const { values } = readArguments(args, CONFIG)
    const config = readConfig(values.config)
    const found = await withServer(config, server => server.status())
    console.log(found ? describe(found) : `not running on ${config.data}`)
    return found ? 0 : NOT_RUNNING
  },
}

function describe (found: ServerStatus): string {
  return [
    `running    process ${found.pid}, Heliograph ${found.version}, node ${found.node}`,
    `uptime     ${describeDuration(found.uptimeSeconds)}`,
    `hosts      ${found.hosts.join(', ')}`,
    ...found.listeners.map(listener => `listens    ${listener.name} ${describeAddress(listener)}`),
    `sessions   ${found.sessions}`,
    ...found.nodes.map(describeNode),
    `memory     ${Math.round(found.memoryBytes / 2 ** 20)} MB`,
    `database   ${found.database}`,
    ...found.federation ? describeFederation(found.federation) : [],
  ].join('\n')
}

const REMOTE_COLUMNS = ['remote', 'with', 'streams', 'proven by', 'TLS', 'waiting', 'oldest', 'last error']

function describeFederation ({ remotes, counters }: FederationStatus): readonly string[] {
  const { received, sent, confirmed, givenBack } = counters
  const since = `${received} stanzas received, ${sent} sent; ${confirmed} messages confirmed, ${givenBack} given back`
  return [`federation ${since}`, ...remotes.length > 0 ? ['', ...describeRemotes(remotes)] : []]
}

/** A table of other servers. */
function describeRemotes (remotes: readonly RemoteStatus[]): readonly string[] {
  const rows = [REMOTE_COLUMNS, ...remotes.map(one => [
    one.remote, one.local, one.direction ?? '-', one.provenBy.join(', ') || '-', one.tls.join(', ') || '-',
    String(one.waiting), one.oldestSeconds === undefined ? '-' : describeDuration(one.oldestSeconds),
    one.lastError ?? '-',
  ])]
  const widths = REMOTE_COLUMNS.map((_, column) =>
    rows.reduce((most, row) => Math.max(most, row[column]?.length ?? 0), 0))
  return rows.map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd())
}

function describeNode ({ id, load }: NodeStatus): string {
  if (!load) return `node       ${id}: starting`
  const { sessions, streams, homes, busLagMs, isLeaving } = load
  const counts = `${sessions} sessions, ${streams} clients, home of ${homes} accounts`
  return `node       ${id}: ${counts}, bus lag ${busLagMs.toFixed(1)} ms${isLeaving ? ', leaving' : ''}`
}

function describeAddress ({ host, port }: ListenerStatus): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function describeDuration (seconds: number): string {
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'], [Math.floor(seconds / 60) % 60, 'min'],
    [Math.floor(seconds) % 60, 's'],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  return parts.slice(first === -1 ? -1 : first).map(([count, unit]) => `${count} ${unit}`).join(' ')
}
