/** Accounts that talk two by two, both ways at once, to each other's bare address. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Job } from '../job.ts'
import { inParallel } from '../job.ts'
import { account, logIn } from '../negotiate.ts'
import { Talker } from './talker.ts'

const PATIENCE = 10_000

/** A talker and the one who gets its messages. */
export interface Pair { readonly talker: Talker, readonly other: Talker }

/** Logs everybody in; each client is the talker of one pair and the other of another. */
export async function meet (job: Job): Promise<readonly Pair[]> {
  const talkers: Talker[] = []
  await inParallel(job.first, job.accounts, 8, async number => {
    const client = await logIn(job.target, account(number))
    const to = `${account(number ^ 1).name}@${job.target.domain}`
    talkers[number - job.first] = new Talker(client, account(number).name, to)
  })
  return talkers.flatMap((talker, at) => {
    const other = talkers[at ^ 1]
    return other ? [{ talker, other }] : []
  })
}

/** Waits until all that was sent has come, and says which was lost, doubled or out of place. */
export async function part (pairs: readonly Pair[]): Promise<readonly string[]> {
  const deadline = Date.now() + PATIENCE
  while (Date.now() < deadline && pairs.some(({ talker, other }) => other.received < talker.sent)) await sleep(20)
  await sleep(200)
  const faults = pairs.flatMap(({ talker, other }) => faultsOf(talker, other))
  await Promise.all(pairs.map(({ talker }) => talker.client.close()))
  return faults
}

function faultsOf (talker: Talker, other: Talker): readonly string[] {
  const missing = talker.sent - other.received
  return [
    ...(missing > 0 ? [`${missing} messages lost`] : []),
    ...(missing < 0 ? [`${-missing} messages too many`] : []),
    ...(other.misplaced > 0 ? [`${other.misplaced} messages out of place`] : []),
    ...(talker.client.lost ? ['a client was disconnected'] : []),
  ]
}
