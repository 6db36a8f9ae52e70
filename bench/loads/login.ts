/** The load `login`: streams that log in, fetch the roster, become available and close, so many at a time. */
import type { Job, Load, Outcome } from '../job.ts'
import { inParallel } from '../job.ts'
import { account, logIn } from '../negotiate.ts'

export function login (job: Job): Load {
  const faults: string[] = []
  let lanes: readonly Promise<void>[] = []
  let stopped = false
  let next = 0
  let done = 0

  const visit = async (number: number): Promise<void> => {
    const client = await logIn(job.target, account(number))
    done++
    await client.close()
  }
  const lane = async (): Promise<void> => {
    while (!stopped) await visit(job.first + next++ % job.accounts)
  }

  return {
    // Every account once, so that its keys are derived before anything is counted.
    prepare: () => inParallel(job.first, job.accounts, 8, visit),
    start: () => {
      lanes = Array.from({ length: job.streams }, () => lane().catch((error: Error) => { faults.push(error.message) }))
    },
    done: () => done,
    finish: async (): Promise<Outcome> => {
      stopped = true
      await Promise.all(lanes)
      return { faults }
    },
  }
}
