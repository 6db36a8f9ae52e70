/** The command line of the bench of servers that talk to each other. */
import { parseArgs } from 'node:util'
import { cores, oneOf, positive } from '../options.ts'

export type Kind = 'ours' | 'prosody' | 'ejabberd'
export type LoadName = 'chat' | 'archived'

/** Who writes to whom; `ours` to `ours` are two installations. */
export interface Way { readonly from: Kind, readonly to: Kind }

export interface FederationOptions {
  readonly loads: readonly LoadName[]
  readonly ways: readonly Way[]
  readonly rounds: number
  /** Measured, by the clock; before, each server is given `warmup` seconds of processor time. */
  readonly seconds: number
  readonly warmup: number
  readonly pairs: number
  readonly window: number
  /** Messages that wait for a domain that comes back; 0 to measure none. */
  readonly drain: number
  /** Remote domains that are known and idle; 0 to weigh none. */
  readonly domains: number
  /** Seconds that they are left alone before they are weighed. */
  readonly wait: number
  readonly serverCore: number | undefined
  readonly generatorCores: readonly (number | undefined)[]
  readonly markdown: boolean
  readonly keep: boolean
}

export const FEDERATION_USAGE =
  `npm run bench -- federation [chat] [archived] [options]   (both when no load is named)
  --only ours,prosody,ejabberd   from each of them to each other, and from ours to a second installation of ours
  --ways ours-prosody,…          these only
  --rounds 3        interleaved: every way once, then again
  --seconds 10      measured in each round, after --warmup 3 seconds of processor time for each server
  --pairs 50        one of each at either server; --window 4 messages on their way from each
  --drain 100000    in place of the loads: so many messages that wait for a domain, until it has them
  --domains 5000    in place of the loads: memory for so many remote domains that were talked to, --wait 60 seconds later
  --markdown        prints the table for docs/performance.md
  --keep            leaves the servers' folders where they are
`

const KINDS: readonly Kind[] = ['ours', 'prosody', 'ejabberd']
const LOADS: readonly LoadName[] = ['chat', 'archived']
const NUMBERS = { rounds: '3', seconds: '10', warmup: '3', pairs: '50', window: '4', wait: '60' } as const
const TEXTS = ['only', 'ways', 'drain', 'domains'] as const
const FLAGS = ['markdown', 'keep', 'help'] as const

/** Reads `args`; what it can't understand is an error whose message says so. */
export function readFederationOptions (args: readonly string[]): FederationOptions | undefined {
  const { values, positionals } = parse(args)
  if (values['help'] === true) return undefined
  const number = (name: string): number => values[name] === undefined ? 0 : positive(name, String(values[name]))
  return {
    loads: positionals.length > 0 ? positionals.map(name => oneOf(LOADS, name)) : LOADS,
    ways: chooseWays(values['only'], values['ways']),
    rounds: number('rounds'),
    seconds: number('seconds'),
    warmup: number('warmup'),
    pairs: number('pairs'),
    window: number('window'),
    drain: number('drain'),
    domains: number('domains'),
    wait: number('wait'),
    ...cores(),
    markdown: values['markdown'] === true,
    keep: values['keep'] === true,
  }
}

function parse (args: readonly string[]): ReturnType<typeof parseArgs> {
  const numbers = Object.entries(NUMBERS).map(([name, value]) => [name, { type: 'string' as const, default: value }])
  const texts = TEXTS.map(name => [name, { type: 'string' as const }])
  const flags = FLAGS.map(name => [name, { type: 'boolean' as const }])
  return parseArgs({
    args: [...args], options: Object.fromEntries([...numbers, ...texts, ...flags]), allowPositionals: true,
  })
}

function chooseWays (only: unknown, ways: unknown): readonly Way[] {
  const kind = (name: string): Kind => oneOf(KINDS, name)
  if (typeof ways === 'string') {
    return ways.split(',').map(way => {
      const [from = '', to = ''] = way.split('-')
      return { from: kind(from), to: kind(to) }
    })
  }
  const kinds = typeof only === 'string' ? only.split(',').map(kind) : KINDS
  return kinds.flatMap(from => kinds.map(to => ({ from, to }))).filter(({ from, to }) => from !== to || from === 'ours')
}
