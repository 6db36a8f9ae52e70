/** The load `login`: streams that log in, fetch the roster, become available and close, so many at a time. */
import type { Job, Load } from '../job.ts'
import { inParallel, targetOf } from '../job.ts'
import { account, logIn } from '../negotiate.ts'

export function login (job: Job): Load {
  const faults: string[] = []
  const progress = { done: 0, next: 0, isOver: false }
  let lanes: readonly Promise<void>[] = []

  const visit = async (number: number): Promise<void> => {
    const client = await logIn(targetOf(job, number), account(number))
    progress.done++
    await client.close()
  }
  const lane = async (): Promise<void> => {
    while (!progress.isOver) await visit(job.first + progress.next++ % job.accounts)
  }

  return {
    // Every account once, so that its keys are derived before anything is counted.
    prepare: () => inParallel(job.first, job.accounts, 8, visit),
    start: () => {
      lanes = Array.from({ length: job.streams }, () => lane().catch((error: Error) => { faults.push(error.message) }))
    },
    done: () => progress.done,
    finish: async () => {
      progress.isOver = true
      await Promise.all(lanes)
      return { faults }
    },
  }
}
