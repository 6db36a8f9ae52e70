/** Fills the disk that the data folder is on, by messages, several times, and makes room again. */
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { underLoad, waitUntil } from './load.ts'
import type { Figures, Pair } from './load.ts'
import { MortalServer } from './server.ts'
import { SmallDisk } from './small-disk.ts'

export interface DiskFigures extends Figures {
  /** How often the disk was full, so that a sender was told to wait. */
  readonly filled: number
  /** How often every sender had something acknowledged after there was room again. */
  readonly recovered: number
  /** In how many rounds PostgreSQL ended, and was started again. */
  readonly databaseEnded: number
  /** Whether the server's process is the one that was started. */
  readonly isRunning: boolean
}

const PATIENCE_SECONDS = 1
const PADDING_BYTES = 8_000
/** The database and its log, and what a round leaves behind. */
const DISK_MEGABYTES = 256
const ROUND_MEGABYTES = 64
/**
 * What messages have to fill, by turns: less than PostgreSQL wants for the next segment of its log (16 MiB), without
 * which it ends, and more, where it can go on and refuses to store.
 */
const LEFT_BYTES: readonly number[] = [14 * 1024 * 1024, 24 * 1024 * 1024]
const FILLING_MS = 30_000
/** How long it stays full. */
const FULL_MS = 1500
const RECOVERY_MS = 30_000

export async function fillUnderLoad (rounds: number): Promise<DiskFigures> {
  const disk = SmallDisk.mount(DISK_MEGABYTES + rounds * ROUND_MEGABYTES)
  let [filled, recovered, databaseEnded] = [0, 0, 0]
  try {
    const extensions = { archive: { patience: PATIENCE_SECONDS } }
    const server = await MortalServer.start({ data: disk.path, extensions })
    try {
      const figures = await underLoad({ port: server.port, paddingBytes: PADDING_BYTES }, async talk => {
        for (let round = 0; round < rounds; round++) {
          const refused = sum(talk, ({ sender }) => sender.refused)
          const startedAt = await databaseStart(server)
          disk.fill(LEFT_BYTES[round % LEFT_BYTES.length] ?? 0)
          if (await waitUntil(() => sum(talk, ({ sender }) => sender.refused) > refused, FILLING_MS)) filled++
          await setTimeout(FULL_MS)
          disk.empty()
          const before = talk.map(({ sender }) => sender.acknowledged.size)
          const allGoOn = (): boolean => talk.every(({ sender }, at) => sender.acknowledged.size > (before[at] ?? 0))
          if (await waitUntil(allGoOn, RECOVERY_MS)) recovered++
          if (await databaseStart(server) !== startedAt) databaseEnded++
        }
      })
      return { ...figures, filled, recovered, databaseEnded, isRunning: server.isRunning }
    } finally {
      await server.end()
    }
  } finally {
    disk.unmount()
  }
}

async function databaseStart (server: MortalServer): Promise<string> {
  const superuser = new pg.Client(server.databaseUrl)
  await superuser.connect()
  try {
    const { rows } = await superuser.query('select pg_postmaster_start_time()::text as at')
    return String(rows[0]?.at)
  } finally {
    await superuser.end()
  }
}

function sum (talk: readonly Pair[], figure: (pair: Pair) => number): number {
  return talk.reduce((total, pair) => total + figure(pair), 0)
}
