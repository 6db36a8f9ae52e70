/** The results of servers that talk to each other, for a terminal and for docs/performance.md. */
import { columns, grouped, median } from '../table.ts'
import type { Kind, LoadName, Way } from './options.ts'
import type { Sample } from './ways.ts'

/** All rounds of one load on one way. */
export interface Series { readonly load: LoadName, readonly way: Way, readonly samples: readonly Sample[] }

type End = 'sender' | 'receiver'

const TITLES: Readonly<Record<LoadName, string>> = {
  chat: '460-byte messages, no archive',
  archived: 'the same, archived in a PostgreSQL on either side, with acks',
}

/** A line per load and way: either end's figure, ours against the better peer, and what may explain them. */
export function textTable (all: readonly Series[]): string {
  const head = [
    'load', 'from', 'to', 'sender/CPU s', 'min', 'max', 'vs peer', 'receiver/CPU s', 'min', 'max', 'vs peer',
    'by the clock', 'sender core', 'receiver core', 'generator',
  ]
  const rows = all.map(series => [
    series.load, series.way.from, series.way.to,
    ...(['sender', 'receiver'] as const).flatMap(end => [...spread(series, end), ratio(series, end, all)]),
    `${grouped(middle(series, 'rate'), 0)}/s`,
    ...(['senderLoad', 'receiverLoad', 'generatorLoad'] as const).map(load => `${Math.round(100 * middle(series, load))} %`),
  ])
  return columns([head, ...rows])
}

/** The table of docs/performance.md: a row per load and way, a column for either end. */
export function markdownTable (all: readonly Series[], titles: Readonly<Record<Kind, string>>): string {
  const head = ['', 'from', 'to', 'sender', 'against the better', 'receiver', 'against the better']
  const rows = all.map(series => [
    TITLES[series.load], titles[series.way.from], titles[series.way.to],
    ...(['sender', 'receiver'] as const).flatMap(end => [grouped(middle(series, end), 0), ratio(series, end, all)]),
  ])
  return [head, ['---', '---', '---', '---:', '---:', '---:', '---:'], ...rows]
    .map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

function spread ({ samples }: Series, end: End): readonly string[] {
  const values = samples.map(sample => sample[end])
  return [median(values), Math.min(...values), Math.max(...values)].map(value => grouped(value, 0))
}

function middle ({ samples }: Series, what: keyof Omit<Sample, 'faults'>): number {
  return median(samples.map(sample => sample[what]))
}

/** Ours at that end, over the better of the others at the same end where they talk among themselves. */
function ratio (series: Series, end: End, all: readonly Series[]): string {
  const isOurs = series.way[end === 'sender' ? 'from' : 'to'] === 'ours'
  const peers = all.filter(({ load, way }) => load === series.load && way.from !== 'ours' && way.to !== 'ours')
  if (!isOurs || peers.length === 0) return ''
  return `${(middle(series, end) / Math.max(...peers.map(peer => middle(peer, end)))).toFixed(2)} ×`
}
