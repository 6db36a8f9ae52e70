/**
 * What is checked by machine besides tests: types, lint rules (those that need types in a run of their own), format,
 * and no mark of unfinished work.
 */
import { execFile } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const run = promisify(execFile)

/** What the tool complains of; nothing when it is content. */
async function complaints (tool: string, ...options: readonly string[]): Promise<string> {
  try {
    await run(`node_modules/.bin/${tool}`, options)
    return ''
  } catch (error) { // it ended with a complaint, or can't be run
    if (error instanceof Error && 'stdout' in error) return `${String(error.stdout)}${error.message}`
    throw error
  }
}

test('the types fit', async () => {
  expect(await complaints('tsc', '--noEmit')).toBe('')
}, 120_000)

test('the linter has nothing to say', async () => {
  expect(await complaints('oxlint')).toBe('')
}, 120_000)

const PROMISES = ['--type-aware', '--config', '.oxlintrc.promises.json']

test('every promise is waited for, or handed to the helper that logs its failure', async () => {
  expect(await complaints('oxlint', ...PROMISES)).toBe('')
}, 240_000)

test('the format is that of the rest', async () => {
  expect(await complaints('oxlint', '--config', '.oxlintrc.style.json')).toBe('')
}, 240_000)

test.for([
  [
    'a list spread into the arguments of a call',
    'no-spread-arguments',
    'export const most = (list: readonly number[]): number => Math.max(...list)',
  ],
  [
    'a promise that is left alone by void',
    'no-void',
    'export function start (run: () => Promise<void>): void { void run() }',
  ],
  [
    'a promise that nobody waits for',
    'no-floating-promises',
    'export function start (run: () => Promise<void>): void { run() }',
  ],
] as const)('the linter refuses %s', { timeout: 240_000 }, async ([, rule, code]) => {
  const folder = mkdtempSync(join(tmpdir(), 'lint-'))
  onTestFinished(() => { rmSync(folder, { recursive: true }) })
  const file = join(folder, 'bad.ts')
  writeFileSync(file, `${code}\n`)

  const options = rule === 'no-floating-promises' ? PROMISES : ['--config', '.oxlintrc.json']
  expect(await complaints('oxlint', ...options, file)).toContain(`(${rule})`)
})

test('no mark is left that something is unfinished', () => {
  const marks = /\b(?:FIX[M]E|X[X]X|HAC[K]|TOD[O](?!\(#\d))/ // with brackets, so as not to find itself

  const marked = globSync('{src,extensions,conformance,bench}/**/*.ts').filter(file =>
    marks.test(readFileSync(file, 'utf8'))
  )

  expect(marked).toEqual([])
})
