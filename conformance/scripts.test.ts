/**
 * Every conformance script against this repository's server: those of the core, and between servers, on a server
 * without any extension. And again with each client, or other server, of a script at another node of three.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { beforeAll, describe, expect, test } from 'vitest'

const HERE = import.meta.dirname
const LINE = /^(?:ok|FIXED|known|FAIL)\s+(\S+\.scs)/

const ALL = globSync('{core,extensions,federation}/**/*.scs', { cwd: HERE }).sort()

describe.each([
  ['one server', []],
  ['three nodes', ['--nodes', '3']],
] as const)('on %s', (_, parameters) => {
  /** What the runner said of each script. */
  const said = new Map<string, string>()

  beforeAll(async () => {
    const run = spawn(process.execPath, [join(HERE, 'run.ts'), ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] })
    let script = ''
    for await (const line of createInterface(run.stdout)) {
      script = LINE.exec(line)?.[1] ?? script
      said.set(script, `${said.get(script) ?? ''}${line}\n`)
    }
  }, 240_000)

  test.for(ALL)('%s', script => {
    expect(said.get(script) ?? 'was not played').toMatch(/^ok/)
  })
})
