/** A PostgreSQL of its own for nodes that share one: it can be killed, and its supervisor starts it again. */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { lockDataFolder } from '../../src/storage/data-lock.ts'
import { startEmbedded } from '../../src/storage/embedded.ts'

export interface MortalPostgres extends AsyncDisposable {
  readonly url: string
  /** SIGKILL for its first process; the others end by themselves. */
  kill (): void
}

export async function startPostgres (): Promise<MortalPostgres> {
  const data = await lockDataFolder(await mkdtemp(join(tmpdir(), 'heliograph-test-')))
  const postgres = await startEmbedded(data, pino({ level: 'silent' }))
  return {
    url: postgres.url,
    kill () {
      const [pid] = readFileSync(join(data.path, 'postgres', 'postmaster.pid'), 'utf8').split('\n')
      process.kill(Number(pid), 'SIGKILL')
    },
    async [Symbol.asyncDispose] () {
      await postgres.stop()
      await data.release()
      await rm(data.path, { recursive: true })
    },
  }
}
