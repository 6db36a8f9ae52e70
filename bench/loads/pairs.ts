/** Accounts that talk two by two, to each other's bare address: both ways at once, or from one server to another. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Job } from '../job.ts'
import { inParallel, isCrossing, targetOf } from '../job.ts'
import { account, enableAcks, logIn } from '../negotiate.ts'
import { Talker } from './talker.ts'

/** How long nothing may come, before what is missing is taken for lost. */
const PATIENCE = 10_000

/** A talker and the one who gets its messages, and whether they are connected to different nodes. */
export interface Pair { readonly talker: Talker, readonly other: Talker, readonly isCrossing: boolean }

/** Logs everybody in; each client is the talker of one pair and, on one server, the other of another. */
export async function meet (job: Job): Promise<readonly Pair[]> {
  const talkers: Talker[] = []
  await inParallel(job.first, job.accounts, 8, async number => {
    const client = await logIn(targetOf(job, number), account(number))
    const to = `${account(number ^ 1).name}@${targetOf(job, number ^ 1).domain}`
    if (job.acks) await enableAcks(client)
    talkers[number - job.first] = new Talker(client, account(number).name, to, job.acks)
  })
  return talkers.flatMap((talker, at) => {
    const other = talkers[at ^ 1]
    const isListener = job.other !== undefined && at % 2 === 1
    return other && !isListener ? [{ talker, other, isCrossing: isCrossing(job, job.first + at) }] : []
  })
}

/** How many messages have arrived. */
export function received (pairs: readonly Pair[]): number {
  return pairs.reduce((sum, { other }) => sum + other.received, 0)
}

/** Waits until all that was sent has come, and says which was lost, doubled or out of place. */
export async function part (pairs: readonly Pair[]): Promise<readonly string[]> {
  let [last, deadline] = [progress(pairs), Date.now() + PATIENCE]
  while (Date.now() < deadline && pairs.some(isUnderWay)) {
    await sleep(20)
    if (progress(pairs) === last) continue
    last = progress(pairs)
    deadline = Date.now() + PATIENCE
  }
  await sleep(200)
  const faults = pairs.flatMap(({ talker, other }) => faultsOf(talker, other))
  const clients = new Set(pairs.flatMap(({ talker, other }) => [talker.client, other.client]))
  await Promise.all([...clients].map(client => client.close()))
  return faults
}

/** Grows as long as something comes. */
function progress (pairs: readonly Pair[]): number {
  return pairs.reduce((sum, { talker, other }) => sum + talker.acknowledged + other.received, 0)
}

function isUnderWay ({ talker, other }: Pair): boolean {
  return other.received < talker.sent || unacknowledged(talker) > 0
}

function unacknowledged ({ isManaged, sent, acknowledged }: Talker): number {
  return isManaged ? sent - acknowledged : 0
}

function faultsOf (talker: Talker, other: Talker): readonly string[] {
  const missing = talker.sent - other.received
  return [
    ...(missing > 0 ? [`${missing} messages lost`] : []),
    ...(missing < 0 ? [`${-missing} messages too many`] : []),
    ...(other.misplaced > 0 ? [`${other.misplaced} messages out of place`] : []),
    ...(unacknowledged(talker) === 0 ? [] : [`${unacknowledged(talker)} messages not acknowledged`]),
    ...(talker.client.lost || other.client.lost ? ['a client was disconnected'] : []),
  ]
}
