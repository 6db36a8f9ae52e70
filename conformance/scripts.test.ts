/**
 * Every conformance script against this repository's server: those of the core on a server without any extension. And
 * those in which clients meet with each client at another node of three.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { beforeAll, describe, expect, test } from 'vitest'

const HERE = import.meta.dirname
const LINE = /^(?:ok|FIXED|known|FAIL)\s+(\S+\.scs)/

const ALL = globSync('{core,extensions}/**/*.scs', { cwd: HERE }).sort()
const MEETINGS = globSync([
  'core/rfc6120-{order,resource-conflict}.scs', 'core/rfc6121-{iq,message,presence,subscription}*.scs',
  'extensions/{archive,blocking,carbons,message-status,offline,receipts,stream-management}/*.scs',
], { cwd: HERE }).sort()

describe.each([
  ['one server', [], ALL, /^ok/],
  ['three nodes', ['--nodes', '3', ...MEETINGS.map(file => join(HERE, file))], MEETINGS, /^(?:ok|known|FIXED)/],
] as const)('on %s', (_, parameters, scripts, wanted) => {
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

  test.for(scripts)('%s', script => {
    expect(said.get(script) ?? 'was not played').toMatch(wanted)
  })
})
