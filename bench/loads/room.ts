/**
 * The load `muc`: a room in which a few talk and all listen. Each who talks has so many messages on their way and
 * writes one more for each that came back to him; or, where times are taken, all of them together write so many a
 * second.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { inParallel } from '../job.ts'
import type { Job, Load } from '../job.ts'
import { account, enableAcks, enterRoom, logIn, openRoom } from '../negotiate.ts'
import { atRate, summary } from './latency.ts'
import { Talker } from './talker.ts'

const PATIENCE = 30_000

/** Messages that are on their way from each who talks. */
export function room (job: Job): Load {
  let occupants: readonly Talker[] = []
  const progress = { isOver: false }
  return {
    prepare: async () => {
      occupants = await gather(job)
      for (const [own, talker] of senders(job, occupants).entries()) {
        talker.onMessage = sender => { if (sender === own && !progress.isOver) talker.send(1) }
      }
    },
    start: () => { for (const talker of senders(job, occupants)) talker.send(job.window) },
    done: () => received(occupants),
    finish: async () => {
      progress.isOver = true
      return { faults: await part(job, occupants) }
    },
  }
}

/** Milliseconds from each write to each arrival. */
export function roomLatency (job: Job): Load {
  const times: number[] = []
  let occupants: readonly Talker[] = []
  let timer: NodeJS.Timeout | undefined
  return {
    prepare: async () => { occupants = await gather(job) },
    start: () => {
      const from = performance.now() + job.warmup * 1000
      const talkers = senders(job, occupants)
      const departures: number[][] = talkers.map(() => [])
      for (const occupant of occupants) {
        occupant.onMessage = (sender, number) => {
          const departure = departures[sender]?.[number] ?? 0
          if (departure >= from) times.push(performance.now() - departure)
        }
      }
      timer = atRate(job.rate, number => {
        const own = number % talkers.length
        departures[own]?.push(performance.now())
        talkers[own]?.send(1)
      })
    },
    done: () => received(occupants),
    finish: async () => {
      clearInterval(timer)
      return { faults: await part(job, occupants), latency: summary(times) }
    },
  }
}

/** Logs everybody in and takes them to the room that the first of them has made. */
async function gather (job: Job): Promise<readonly Talker[]> {
  const { accounts, target } = job
  const jid = `bench@conference.${target.domain}`
  const occupants: Talker[] = []
  await inParallel(0, accounts, 1, async number => {
    const { name } = account(number)
    const client = await logIn(target, account(number))
    if (job.acks) await enableAcks(client)
    if (number === 0) await openRoom(client, jid, name, job)
    else await enterRoom(client, jid, name)
    occupants[number] = new Talker(client, name, jid, job.acks, number)
  })
  return occupants
}

function senders ({ senders: count }: Job, occupants: readonly Talker[]): readonly Talker[] {
  return occupants.slice(0, count)
}

function received (occupants: readonly Talker[]): number {
  return occupants.reduce((sum, occupant) => sum + occupant.received, 0)
}

/** Waits until all that was sent has come to all, and says what was lost, doubled or out of place. */
async function part (job: Job, occupants: readonly Talker[]): Promise<readonly string[]> {
  const deadline = Date.now() + PATIENCE
  const talkers = senders(job, occupants)
  const isUnderWay = (): boolean => occupants.some(({ received: heard }) => heard < sent(talkers)) ||
    talkers.some(talker => unacknowledged(talker) > 0)
  while (Date.now() < deadline && isUnderWay()) await sleep(20)
  await sleep(200)
  const faults = [...occupants.flatMap(occupant => faultsOf(occupant, talkers)), ...orders(occupants)]
  await Promise.all(occupants.map(({ client }) => client.close()))
  return faults
}

function sent (talkers: readonly Talker[]): number {
  return talkers.reduce((sum, talker) => sum + talker.sent, 0)
}

function unacknowledged ({ isManaged, sent: count, acknowledged }: Talker): number {
  return isManaged ? count - acknowledged : 0
}

function faultsOf (occupant: Talker, talkers: readonly Talker[]): readonly string[] {
  const missing = sent(talkers) - occupant.received
  return [
    ...missing > 0 ? [`${missing} messages lost`] : [],
    ...missing < 0 ? [`${-missing} messages too many`] : [],
    ...occupant.misplaced > 0 ? [`${occupant.misplaced} messages out of place`] : [],
    ...talkers.includes(occupant) && unacknowledged(occupant) > 0
      ? [`${unacknowledged(occupant)} messages not acknowledged`]
      : [],
    ...occupant.client.lost ? ['a client was disconnected'] : [],
  ]
}

/** RFC 6120 §10.1 says nothing of it, but a conversation makes no sense when each hears it otherwise. */
function orders (occupants: readonly Talker[]): readonly string[] {
  const digests = new Set(occupants.map(({ digest }) => digest))
  return digests.size > 1 ? ['the occupants have heard different orders'] : []
}
