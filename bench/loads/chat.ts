/** The load `chat`: every client has so many messages on their way, and writes one more for each that arrived. */
import type { Job, Load } from '../job.ts'
import { meet, part, received } from './pairs.ts'
import type { Pair } from './pairs.ts'

export function chat (job: Job): Load {
  let pairs: readonly Pair[] = []
  let stopped = false
  return {
    prepare: async () => {
      pairs = await meet(job)
      for (const { talker, other } of pairs) {
        other.onDelivery = count => { if (!stopped) talker.send(count) }
      }
    },
    start: () => { for (const { talker } of pairs) talker.send(job.window) },
    done: () => received(pairs),
    finish: async () => {
      stopped = true
      return { faults: await part(pairs) }
    },
  }
}
