/** How long it takes until service is whole again. */
import { setTimeout } from 'node:timers/promises'
import type { Pair } from './load.ts'

const PATIENCE_MS = 40_000

/**
 * The seconds until a message of every pair that is not written yet is acknowledged and received; Infinity if never.
 */
export async function untilWhole (talk: readonly Pair[]): Promise<number> {
  const since = Date.now()
  const next = talk.map(({ sender, receiver }) => ({ sender, receiver, id: sender.name(sender.sent + 1) }))
  while (!next.every(({ sender, receiver, id }) => sender.acknowledged.has(id) && receiver.received.has(id))) {
    if (Date.now() > since + PATIENCE_MS) return Infinity
    await setTimeout(20)
  }
  return Math.round((Date.now() - since) / 100) / 10
}
