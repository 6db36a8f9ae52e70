/** Kills the server, its PostgreSQL or both in the middle of a load, several times. */
import { setTimeout } from 'node:timers/promises'
import { underLoad } from './load.ts'
import type { Figures } from './load.ts'
import { MortalServer } from './server.ts'

export type Victim = 'server' | 'database' | 'both'

export interface KillOptions { readonly victim: Victim, readonly rounds: number, readonly pauseMs?: number }

export async function killUnderLoad ({ victim, rounds, pauseMs = 700 }: KillOptions): Promise<Figures> {
  const server = await MortalServer.start()
  try {
    return await underLoad(server, async () => {
      for (let round = 0; round < rounds; round++) {
        await setTimeout(pauseMs)
        await kill(server, victim)
      }
      await setTimeout(pauseMs)
    })
  } finally {
    await server.end()
  }
}

async function kill (server: MortalServer, victim: Victim): Promise<void> {
  if (victim !== 'server') server.killDatabase()
  if (victim === 'database') return
  await server.killServer()
  await server.revive()
}
