/** Cuts connections at random moments under a load: clients', those between the server and PostgreSQL, or all. */
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { underLoad } from './load.ts'
import type { Figures } from './load.ts'
import { BadNetwork } from './network.ts'
import { MortalServer } from './server.ts'

export type Wires = 'clients' | 'database' | 'both'

export interface CutOptions { readonly wires: Wires, readonly rounds: number }

export interface CutFigures extends Figures {
  /** How many connections of clients were cut, and how many to the database. */
  readonly cut: { readonly clients: number, readonly database: number }
}

const CUTS_PER_ROUND = 20
const PAUSE_MS = 100
/** A round ends with some clients away for so long that the server has given their sessions up. */
const AWAY_MS = 2500
const EXTENSIONS = { 'stream-management': { 'resume-seconds': 1 } }

export async function cutUnderLoad ({ wires, rounds }: CutOptions): Promise<CutFigures> {
  const server = await MortalServer.start({ extensions: EXTENSIONS })
  const senders = await BadNetwork.before(server.port)
  const receivers = await BadNetwork.before(server.port)
  const superuser = new pg.Client(server.databaseUrl)
  let cutFromDatabase = 0
  try {
    await superuser.connect()
    const figures = await underLoad({ port: senders.port, receiverPort: receivers.port }, async () => {
      for (let round = 0; round < rounds; round++) {
        for (let cut = 0; cut < CUTS_PER_ROUND; cut++) {
          await setTimeout(Math.random() * PAUSE_MS)
          if (wires !== 'database') (Math.random() < 0.5 ? senders : receivers).cutAny()
          if (wires !== 'clients') cutFromDatabase += await cutDatabase(superuser)
        }
        if (wires !== 'database') await (round % 2 === 0 ? receivers : senders).fail(AWAY_MS)
      }
    })
    return { ...figures, cut: { clients: senders.cut + receivers.cut, database: cutFromDatabase } }
  } finally {
    senders.end()
    receivers.end()
    await superuser.end()
    await server.end()
  }
}

/** Some of the server's connections to PostgreSQL, or all; how many. */
async function cutDatabase (superuser: pg.Client): Promise<number> {
  const { rowCount } = await superuser.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'heliograph' and random() < $1",
    [Math.random() < 0.5 ? 1 : 0.5])
  return rowCount ?? 0
}
