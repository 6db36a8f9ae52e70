/** Each log line has an event, and docs/logging.md lists them all, with their levels. */
import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/** `log[level](…)` has a level that is chosen when it runs. */
const CALL = /\blog(?:\.(trace|debug|info|warn|error|fatal)|\[\w+\])\((?:\s*\{\s*event: ([^,}]+))?/gi
const ROW = /^\| `([a-z_]+\.[a-z_]+)` \| ([a-z, ]+) \|/gm

interface Call { readonly at: string, readonly level: string | undefined, readonly events: readonly string[] }

const calls = globSync(['src/**/*.ts', 'extensions/**/*.ts']).filter(file => !file.endsWith('.test.ts')).flatMap(
  callsIn,
)
const listed = new Map(
  [...readFileSync('docs/logging.md', 'utf8').matchAll(ROW)].map(([, event, levels]) => [event, levels?.split(', ')]),
)

function callsIn (file: string): readonly Call[] {
  const source = readFileSync(file, 'utf8')
  return [...source.matchAll(CALL)].map(({ index, 1: level, 2: event = '' }) => ({
    at: `${file}:${source.slice(0, index).split('\n').length}`,
    level,
    events: [...event.matchAll(/'([^']+)'/g)].map(([, name]) => name ?? ''),
  }))
}

test('each log line has an event', () => {
  const without = calls.filter(({ events }) => events.length === 0).map(({ at }) => at)

  expect(without).toEqual([])
})

test('each event is listed, and each that is listed is logged', () => {
  const logged = new Set(calls.flatMap(({ events }) => events))

  expect([...logged].sort()).toEqual([...listed.keys()].sort())
})

test('each event is listed with the levels at which it is logged', () => {
  const wrong = calls.flatMap(({ at, level, events }) => events
    .filter(event => level !== undefined && !listed.get(event)?.includes(level)).map(event =>
    `${at}: ${event} ${level}`
  )
  )

  expect(wrong).toEqual([])
})
