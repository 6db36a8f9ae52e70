/** One embedded PostgreSQL for a test run; its address is what test files `inject('postgresUrl')`. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { TestProject } from 'vitest/node'
import { lockDataFolder } from '../../../src/storage/data-lock.ts'
import { startEmbedded } from '../../../src/storage/embedded.ts'

declare module 'vitest' {
  interface ProvidedContext {
    readonly postgresUrl: string
  }
}

export async function setup (project: TestProject): Promise<() => Promise<void>> {
  const data = await lockDataFolder(await mkdtemp(join(tmpdir(), 'heliograph-test-')))
  const postgres = await startEmbedded(data, pino({ level: 'silent' }))
  project.provide('postgresUrl', postgres.url)
  return async () => {
    await postgres.stop()
    await data.release()
    await rm(data.path, { recursive: true })
  }
}
