/** The results, for a terminal and for the README. */
import type { LoadName, ServerName } from './options.ts'
import type { Sample } from './rounds.ts'

/** All rounds of one load on one server. */
export interface Series { readonly load: LoadName, readonly server: ServerName, readonly samples: readonly Sample[] }

interface Measure { readonly title: string, readonly unit: string, readonly isLessBetter: boolean, readonly digits: number }

const MEASURES: Readonly<Record<LoadName, Measure>> = {
  'chat': { title: '1:1 chat, 460-byte messages, no archive', unit: 'deliveries/CPU s', isLessBetter: false, digits: 0 },
  'login': { title: 'SCRAM-SHA-1 logins, roster and presence', unit: 'logins/CPU s', isLessBetter: false, digits: 0 },
  'idle': { title: 'memory per idle session, plain', unit: 'KB', isLessBetter: true, digits: 1 },
  'idle-tls': { title: 'memory per idle session, TLS', unit: 'KB', isLessBetter: true, digits: 1 },
  'latency': { title: 'chat latency at a fixed rate, p99', unit: 'ms', isLessBetter: true, digits: 2 },
}

/** A line per load and server: median (min–max), ours against the better peer, and what may explain them. */
export function textTable (all: readonly Series[]): string {
  const head = ['load', 'server', 'median', 'min', 'max', 'unit', 'vs best peer', 'by the clock', 'server core', 'generator']
  const rows = all.map(series => {
    const { digits, unit } = MEASURES[series.load]
    const values = series.samples.map(sample => sample.value)
    const last = middle(series)
    return [
      series.load, series.server,
      ...[median(values), Math.min(...values), Math.max(...values)].map(value => grouped(value, digits)), unit,
      ratio(series, all), last?.rate === undefined ? '' : `${grouped(last.rate, 0)}/s`,
      percent(last?.serverLoad), percent(last?.generatorLoad),
    ]
  })
  return columns([head, ...rows])
}

/** The table of the README: a row per load, a column per server. */
export function markdownTable (all: readonly Series[], titles: ReadonlyMap<ServerName, string>): string {
  const servers = [...titles.keys()]
  const loads = [...new Set(all.map(series => series.load))]
  const rows = loads.map(load => {
    const { title, unit, digits } = MEASURES[load]
    const cells = servers.map(server => all.find(series => series.load === load && series.server === server))
    const values = cells.map(series => series ? grouped(median(series.samples.map(sample => sample.value)), digits) : '')
    const ours = all.find(series => series.load === load && series.server === 'ours')
    return [`${title} (${unit})`, ...values, ours ? ratio(ours, all) : '']
  })
  const lines = [['', ...titles.values(), 'against the better peer'], ['---', ...servers.map(() => '---:'), '---:'], ...rows]
  return lines.map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

/** Ours over the better peer's, turned so that more is better. */
function ratio (series: Series, all: readonly Series[]): string {
  const peers = all.filter(other => other.load === series.load && other.server !== 'ours')
  if (series.server !== 'ours' || peers.length === 0) return ''
  const { isLessBetter } = MEASURES[series.load]
  const medians = peers.map(peer => median(peer.samples.map(sample => sample.value)))
  const own = median(series.samples.map(sample => sample.value))
  return `${(isLessBetter ? Math.min(...medians) / own : own / Math.max(...medians)).toFixed(2)} ×`
}

function middle (series: Series): Sample | undefined {
  const wanted = median(series.samples.map(sample => sample.value))
  return series.samples.toSorted((a, b) => Math.abs(a.value - wanted) - Math.abs(b.value - wanted))[0]
}

function median (values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = (sorted.length - 1) / 2
  return ((sorted[Math.floor(half)] ?? Number.NaN) + (sorted[Math.ceil(half)] ?? Number.NaN)) / 2
}

function grouped (value: number, digits: number): string {
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, ' ')
}

function percent (share: number | undefined): string {
  return share === undefined ? '' : `${Math.round(share * 100)} %`
}

function columns (rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map(row => row[at]?.length ?? 0)))
  return rows.map(row => row.map((cell, at) => pad(cell, widths[at] ?? 0)).join('  ').trimEnd()).join('\n')
}

function pad (cell: string, width: number): string {
  return /^\d/.test(cell) ? cell.padStart(width) : cell.padEnd(width)
}
