/** The groups that tests run in (vitest.config.ts): each file is in one, and the quick ones stay quick. */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, matchesGlob } from 'node:path'
import { expect, test } from 'vitest'
import { E2E, INTEGRATION, UNIT } from '../vitest.config.ts'

/** What starts or needs a database, a Redis or a process. */
const HEAVY = [
  'node:child_process',
  'src/storage/embedded.ts',
  'src/storage/postgres.ts',
  'test/support/cluster/',
  'test/support/redis/',
  'test/support/run/database.ts',
]

const files = globSync('**/*.test.ts', { exclude: ['node_modules'] })

function isIn (group: readonly string[], file: string): boolean {
  return group.some(glob => matchesGlob(file, glob))
}

function isUnit (file: string): boolean {
  return isIn(UNIT, file)
}

/** All that a file imports, itself or through others that are no part of the server. */
function reach (file: string, seen: Set<string>): Set<string> {
  if (seen.has(file)) return seen
  seen.add(file)
  if (!file.endsWith('.ts') || (file.startsWith('src/') && !file.endsWith('.test.ts'))) return seen
  const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export)(?! type)[^'"]*? from '([^']+)'/gm)
  for (const [, name = ''] of imports) reach(name.startsWith('.') ? join(dirname(file), name) : name, seen)
  return seen
}

test('every test file is in exactly one group', () => {
  const groupsOf = (file: string): number =>
    isUnit(file) ? 1 : [INTEGRATION, E2E].filter(group => isIn(group, file)).length

  expect(files.filter(file => groupsOf(file) !== 1)).toEqual([])
})

test('every line of the list of unit tests names one that is there', () => {
  expect(UNIT.filter(glob => !files.some(file => matchesGlob(file, glob)))).toEqual([])
})

test('unit tests start no database, no Redis and no process', () => {
  const isHeavy = (name: string): boolean => HEAVY.some(part => name.startsWith(part))

  const heavy = files.filter(isUnit).filter(file => [...reach(file, new Set())].some(isHeavy))

  expect(heavy).toEqual([])
})
