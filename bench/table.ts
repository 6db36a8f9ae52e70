/** The results, for a terminal and for docs/performance.md. */
import { nodesIn } from './options.ts'
import type { LoadName, ServerName } from './options.ts'
import type { Sample } from './rounds.ts'

/** All rounds of one load on one server. */
export interface Series { readonly load: LoadName, readonly server: ServerName, readonly samples: readonly Sample[] }

interface Measure {
  readonly title: string
  readonly unit: string
  readonly isLessBetter: boolean
  readonly digits: number
}

const MEASURES: Readonly<Record<LoadName, Measure>> = {
  'chat': { title: '1:1 chat, 460-byte messages, no archive', ...work('deliveries') },
  'archived': { title: '1:1 chat, archived in PostgreSQL on both sides, acks', ...work('deliveries') },
  'login': { title: 'SCRAM-SHA-1 logins, roster and presence', ...work('logins') },
  'idle': { title: 'memory per idle session, plain', ...cost('KB', 1) },
  'idle-tls': { title: 'memory per idle session, TLS', ...cost('KB', 1) },
  'latency': { title: 'chat latency at a fixed rate, p99', ...cost('ms', 2) },
  'muc': { title: 'a room, a few of whose occupants talk', ...work('deliveries') },
  'muc-archived': { title: 'the same, with the room\'s archive in PostgreSQL, acks', ...work('deliveries') },
  'muc-latency': { title: 'a room at a fixed rate, write to each arrival, p99', ...cost('ms', 2) },
  'muc-archived-latency': {
    title: 'a room with an archive at a fixed rate, write to each arrival, p99',
    ...cost('ms', 2),
  },
  'pubsub': { title: 'one publishes to many who have subscribed to a node', ...work('publications') },
  'pubsub-items': { title: 'the 20 newest items of a node of 1000', ...work('answers') },
  'pubsub-login': { title: 'a login with five last items of each of many contacts', ...work('logins') },
  'archived-latency': { title: 'archived chat at a fixed rate, write to arrival, p99', ...cost('ms', 2) },
  'archived-ack': { title: 'archived chat at a fixed rate, write to ack, p99', ...cost('ms', 2) },
}

function work (what: string): Omit<Measure, 'title'> {
  return { unit: `${what}/CPU s`, isLessBetter: false, digits: 0 }
}

function cost (unit: string, digits: number): Omit<Measure, 'title'> {
  return { unit, isLessBetter: true, digits }
}

/** A line per load and server: median (min–max), ours against the better peer, and what may explain them. */
export function textTable (all: readonly Series[]): string {
  const figures = ['median', 'min', 'max', 'unit', 'vs best peer']
  const head = ['load', 'server', ...figures, 'by the clock', 'server core', 'generator']
  const rows = all.map(series => {
    const { digits, unit } = MEASURES[series.load]
    const pace = middle(series)?.pace
    return [
      series.load, series.server,
      ...[median, least, most].map(figure => grouped(figure(values(series)), digits)), unit,
      ratio(series, all),
      pace ? `${grouped(pace.rate, 0)}/s` : '',
      percent(pace?.serverLoad),
      percent(pace?.generatorLoad),
    ]
  })
  return columns([head, ...rows])
}

/** The table of docs/performance.md: a row per load, a column per server. */
export function markdownTable (all: readonly Series[], titles: ReadonlyMap<ServerName, string>): string {
  const servers = [...titles.keys()]
  const loads = [...new Set(all.map(series => series.load))]
  const rows = loads.map(load => {
    const { title, unit, digits } = MEASURES[load]
    const cells = servers.map(server => all.find(series => series.load === load && series.server === server))
    const ratios = cells.map(series => series ? ratio(series, all) : '')
    return [
      `${title} (${unit})`,
      ...cells.map(series => series ? grouped(median(values(series)), digits) : ''),
      ratios.join(''),
    ]
  })
  const head = ['', ...titles.values(), 'against the better peer']
  const rule = ['---', ...head.slice(1).map(() => '---:')]
  return [head, rule, ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

/** Ours over the better peer's, turned so that more is better. */
function ratio (series: Series, all: readonly Series[]): string {
  const peers = all.filter(({ load, server }) =>
    load === series.load && server !== 'ours' && nodesIn(server) === undefined
  )
  if (series.server !== 'ours' || peers.length === 0) return ''
  const { isLessBetter } = MEASURES[series.load]
  const medians = peers.map(peer => median(values(peer)))
  const own = median(values(series))
  return `${(isLessBetter ? least(medians) / own : own / most(medians)).toFixed(2)} ×`
}

/** The round that was the most ordinary. */
function middle (series: Series): Sample | undefined {
  const wanted = median(values(series))
  return series.samples.toSorted((a, b) => Math.abs(a.value - wanted) - Math.abs(b.value - wanted))[0]
}

/** The figure of each round. */
export function values (series: Series): readonly number[] {
  return series.samples.map(sample => sample.value)
}

function least (all: readonly number[]): number {
  return Math.min(...all)
}

function most (all: readonly number[]): number {
  return Math.max(...all)
}

/** The middle one, or between the two in the middle. */
export function median (values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = (sorted.length - 1) / 2
  return ((sorted[Math.floor(half)] ?? Number.NaN) + (sorted[Math.ceil(half)] ?? Number.NaN)) / 2
}

/** With a space between thousands. */
export function grouped (value: number, digits: number): string {
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, ' ')
}

function percent (share: number | undefined): string {
  return share === undefined ? '' : `${Math.round(share * 100)} %`
}

/** Lines whose cells stand below each other. */
export function columns (rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map(row => row[at]?.length ?? 0)))
  return rows.map(row => row.map((cell, at) => pad(cell, widths[at] ?? 0)).join('  ').trimEnd()).join('\n')
}

function pad (cell: string, width: number): string {
  return /^\d/.test(cell) ? cell.padStart(width) : cell.padEnd(width)
}
