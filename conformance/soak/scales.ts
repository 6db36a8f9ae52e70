/** What is held at the beginning and after each round, and whether the last round changed it. */
import type { Site } from './site.ts'

/** By name; bytes where the name says so. */
export type Weights = ReadonlyMap<string, number>

export interface Weighed {
  readonly what: string
  /** At the beginning and after each round. */
  readonly values: readonly number[]
  /** What the last round changed. */
  readonly difference: number
  /**
   * 'off' where it is more than a twentieth away from where the last round began, or above that where it is memory;
   * 'grows' for what is there to grow.
   */
  readonly verdict: 'ok' | 'off' | 'grows'
}

const SHARE = 0.05
/** What may come and go besides: few things, and what the allocator keeps for itself. */
const SLACK: readonly (readonly [RegExp, number])[] = [
  [/^(?:resident|committed) bytes/, 24 * 2 ** 20],
  [/^heap bytes/, 2 * 2 ** 20],
  [/^Redis: bytes/, 2 ** 18],
  [/^database connections/, 8],
  [/./, 6],
]
/**
 * Archives, and what is remembered of who was there, and of contacts that were removed (RFC 6121 §2.6), up to a limit.
 */
const GROWING = /^rows of (?:archive_|former_account|conversation_status|roster_item)/

export async function weigh (site: Site, snapshots?: string): Promise<Weights> {
  const weights = new Map<string, number>()
  for (const [number, held] of (await site.held(snapshots)).entries()) {
    weights.set(`heap bytes n${number}`, held.heapBytes)
    weights.set(`resident bytes n${number}`, held.residentBytes)
    weights.set(`committed bytes n${number}`, held.committedBytes)
    weights.set(`open files n${number}`, held.openFiles)
    for (const [type, count] of Object.entries(held.resources)) weights.set(`${type} n${number}`, count)
  }
  for (const [what, count] of [...await site.database(), ...await site.redis()]) weights.set(what, count)
  return weights
}

export function compare (weighings: readonly Weights[]): readonly Weighed[] {
  return [...new Set(weighings.flatMap(weights => [...weights.keys()]))].map(what => {
    const values = weighings.map(weights => weights.get(what) ?? 0)
    const [before, after] = [values.at(-2) ?? 0, values.at(-1) ?? 0]
    const slack = SLACK.find(([pattern]) => pattern.test(what))?.[1] ?? 0
    const difference = after - before
    // Memory that is given back late is no fault, and shows at the beginning, too.
    const change = what.includes('bytes') ? difference : Math.abs(difference)
    const isOff = change > Math.max(before * SHARE, slack)
    return { what, values, difference, verdict: GROWING.test(what) ? 'grows' : isOff ? 'off' : 'ok' }
  })
}

export function table (all: readonly Weighed[]): string {
  const rows = all.map(({ what, values, difference, verdict }) =>
    [what, ...[...values, difference].map(value => figure(what, value)), verdict])
  const rounds = (all[0]?.values ?? []).map((_, number) => number === 0 ? 'begin' : `round ${number}`)
  const lines = [['what', ...rounds, 'difference', ''], ...rows]
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0))) ?? []
  return lines.map(line =>
    line.map((cell, column) => column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)).join(
      '  ',
    )
  ).join('\n')
}

function figure (what: string, value: number): string {
  return what.includes('bytes') ? `${(value / 2 ** 20).toFixed(1)} MB` : String(value)
}
