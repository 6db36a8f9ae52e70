/** The load `idle`: sessions that have logged in and say nothing more. */
import type { Client } from '../client.ts'
import { inParallel, targetOf } from '../job.ts'
import type { Job, Load } from '../job.ts'
import { account, logIn } from '../negotiate.ts'

export function idle (job: Job): Load {
  const clients: Client[] = []
  return {
    prepare: () => inParallel(job.first, job.accounts, 16, async number => {
      const client = await logIn(targetOf(job, number), account(number))
      client.onBytes = () => {}
      clients.push(client)
    }),
    start: () => {},
    done: () => clients.filter(client => !client.lost).length,
    finish: async () => {
      const lost = clients.filter(client => client.lost).length
      await Promise.all(clients.map(client => client.close()))
      return { faults: lost > 0 ? [`${lost} sessions were disconnected`] : [] }
    },
  }
}
