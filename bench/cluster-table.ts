/** What it costs to be many nodes: each cluster against one node without Redis, and against one with it. */
import { nodesName } from './options.ts'
import type { ServerName } from './options.ts'
import type { Latency } from './job.ts'
import { columns, grouped, median, values } from './table.ts'
import type { Series } from './table.ts'

/** A line per load and server; where times were taken, those between nodes beside those within one. */
export function clusterTable (all: readonly Series[]): string {
  const work = all.filter(({ samples }) => samples.every(({ latency }) => !latency))
  const times = all.filter(({ samples }) => samples.some(({ latency }) => latency))
  return [workTable(work), timesTable(times)].filter(table => table !== '').join('\n\n')
}

function workTable (all: readonly Series[]): string {
  if (all.length === 0) return ''
  const head = [
    'load',
    'server',
    'figure',
    'of one without Redis',
    'of one with Redis',
    'Redis of the work',
    'PostgreSQL of the work',
  ]
  const rows = all.map(series => {
    const { load, server, samples } = series
    const share = (of: 'redisShare' | 'postgresShare'): string => {
      const shares = samples.flatMap(({ pace }) => pace?.[of] ?? [])
      return shares.length === 0 ? '' : `${(100 * median(shares)).toFixed(0)} %`
    }
    const figure = grouped(median(values(series)), 0)
    return [
      load,
      server,
      figure,
      part(series, 'ours', all),
      part(series, nodesName(1), all),
      share('redisShare'),
      share('postgresShare'),
    ]
  })
  return columns([head, ...rows])
}

/** Its figure over that of another server at the same load. */
function part (series: Series, other: ServerName, all: readonly Series[]): string {
  const base = all.find(({ load, server }) => load === series.load && server === other)
  return base ? (median(values(series)) / median(values(base))).toFixed(2) : ''
}

function timesTable (all: readonly Series[]): string {
  if (all.length === 0) return ''
  const head = ['load', 'server', 'within a node p50', 'p99', 'between nodes p50', 'p99', 'p50 added', 'unit']
  const rows = all.map(({ load, server, samples }) => {
    const within = samples.flatMap(({ latency }) => latency ?? [])
    const between = samples.flatMap(({ crossing }) => crossing ?? [])
    const middle = (of: readonly Latency[], what: 'p50' | 'p99'): number => median(of.map(each => each[what]))
    const cells = [within, between].flatMap(of => [time(middle(of, 'p50')), time(middle(of, 'p99'))])
    return [load, server, ...cells, time(middle(between, 'p50') - middle(within, 'p50')), 'ms']
  })
  return columns([head, ...rows])
}

function time (milliseconds: number): string {
  return Number.isNaN(milliseconds) ? '–' : milliseconds.toFixed(2)
}
