/** What an administrator of several nodes is told by any of them, and how one leaves. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { testSchema } from '../../test/support/run/database.ts'
import { hasRedis, startRedis } from '../../test/support/redis/redis.ts'

const ENTRY = join(import.meta.dirname, '../../heliograph.mjs')

interface Outcome { readonly code: number | null, readonly out: string }

async function run (command: string, config: string): Promise<Outcome> {
  const child = spawn(process.execPath, [ENTRY, command, '--config', config], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [out] = await Promise.all([text(child.stdout), once(child, 'close')])
  return { code: child.exitCode, out }
}

/** Starts a node, and gives its configuration file and how its process ends. */
async function serve (node: string, database: string, sessions: string) {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-node-'))
  const config = join(folder, 'server.yaml')
  writeFileSync(config, [
    `node: ${node}`, `database: ${JSON.stringify(database)}`, `sessions: ${sessions}`,
    'listen: { client: 127.0.0.1:0, client-tls: 127.0.0.1:0, http: 127.0.0.1:0 }',
  ].join('\n'))
  const child = spawn(process.execPath, [ENTRY, 'serve', '--config', config], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit').then(() => child.exitCode)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true })
  })
  for await (const line of createInterface(child.stdout)) if (line.includes('"server.ready"')) break
  child.stdout.resume()
  return { config, ended }
}

test.skipIf(!hasRedis())('any node tells of all, and one that is drained ends in good order and is gone', {
  timeout: 60_000,
}, async () => {
  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  const database = await testSchema()
  const first = await serve('first', database, redis.url)
  const second = await serve('second', database, redis.url)
  const nodesOf = ({ out }: Outcome): readonly string[] =>
    [...out.matchAll(/^node +([^.]*)\./gm)].map(([, name = '']) => name).sort()
  await expect.poll(async () => nodesOf(await run('status', first.config)), { timeout: 10_000 }).toEqual([
    'first',
    'second',
  ])
  expect(nodesOf(await run('status', second.config))).toEqual(['first', 'second'])

  const drained = await run('drain', second.config)

  expect(drained).toEqual({ code: 0, out: 'drained\n' })
  expect(await second.ended).toBe(0)
  expect(nodesOf(await run('status', first.config))).toEqual(['first'])
  expect(await run('status', second.config)).toMatchObject({ code: 3 })
})
