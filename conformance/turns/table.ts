/** What was measured, for people: the longest first. */
import { middle } from './measure.ts'
import type { Measured } from './measure.ts'

const HEADINGS = ['case', 'longest turn', 'worst', 'with gc', 'round of the loop', 'called by'] as const

export function table (all: readonly Measured[], most = 10): string {
  const sorted = [...all].sort((one, other) => longestTurn(other) - longestTurn(one)).slice(0, most)
  const rows = sorted.map(({ name, turns, roundsMs }) => {
    const turn = middle(turns)
    return [name, ms(turn?.ms), ms(turns.at(-1)?.ms), ms(turn?.withGcMs), ms(middle(roundsMs)), turn?.by ?? '']
  })
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...rows.map(row => row[column]?.length ?? 0))
  )
  const line = (cells: readonly string[]): string => cells
    .map((cell, column) =>
      column === 0 || column === 5 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
    )
    .join('  ').trimEnd()
  return [line(HEADINGS), ...rows.map(line)].join('\n')
}

/** The longest turn when the case was played the time that is in the middle, in milliseconds. */
export function longestTurn ({ turns }: Measured): number {
  return middle(turns)?.ms ?? 0
}

function ms (value = 0): string {
  return `${value.toFixed(1)} ms`
}
