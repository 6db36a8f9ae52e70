/**
 * Kills the server, its PostgreSQL or both in the middle of a load, several times, and counts: every message whose
 * acknowledgement its sender saw is in both archives, once, and reached its recipient.
 */
import { setTimeout } from 'node:timers/promises'
import { register } from '../runner/register.ts'
import { MortalServer } from './server.ts'
import { readArchive, Receiver, Sender } from './talk.ts'

export type Victim = 'server' | 'database' | 'both'

export interface Figures {
  readonly sent: number
  readonly acknowledged: number
  readonly killed: number
  readonly reconnected: number
  /** Acknowledged, and missing in an archive or never received. */
  readonly lost: readonly string[]
  /** More than once in an archive. */
  readonly doubled: readonly string[]
  /** Numbers that are missing between an archive's first and last. */
  readonly holes: number
  /** Came to the recipient again, with the same archive id, as after a crash it may. */
  readonly receivedAgain: number
  readonly refused: number
}

export interface KillOptions { readonly victim: Victim, readonly rounds: number, readonly pairs?: number, readonly pauseMs?: number }

const SETTLE_MS = 30_000

export async function killUnderLoad ({ victim, rounds, pairs = 3, pauseMs = 700 }: KillOptions): Promise<Figures> {
  const server = await MortalServer.start()
  try {
    const talk = await people(server.port, pairs)
    const running = talk.map(({ sender }) => sender.run())
    const listening = talk.map(({ receiver }) => receiver.run())
    for (let round = 0; round < rounds; round++) {
      await setTimeout(pauseMs)
      await kill(server, victim)
    }
    await setTimeout(pauseMs)
    for (const { sender } of talk) sender.finish()
    await Promise.all(running)
    await settle(talk)
    for (const { receiver } of talk) receiver.stop()
    await Promise.all(listening)
    return await count(talk, rounds)
  } finally {
    await server.end()
  }
}

interface Pair { readonly sender: Sender, readonly receiver: Receiver }

async function people (port: number, pairs: number): Promise<readonly Pair[]> {
  const talk: Pair[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const [romeo, juliet] = [`romeo${pair}@localhost`, `juliet${pair}@localhost`]
    for (const jid of [romeo, juliet]) await register({ port, tls: false }, { jid, password: 'secret' })
    talk.push({ sender: new Sender({ jid: romeo, port }, juliet), receiver: new Receiver({ jid: juliet, port }) })
  }
  return talk
}

async function kill (server: MortalServer, victim: Victim): Promise<void> {
  if (victim !== 'server') server.killDatabase()
  if (victim === 'database') return
  await server.killServer()
  await server.revive()
}

/** Waits until everything that was acknowledged has been received, or for long enough. */
async function settle (talk: readonly Pair[]): Promise<void> {
  const until = Date.now() + SETTLE_MS
  const isWhole = ({ sender, receiver }: Pair): boolean => [...sender.acknowledged].every(id => receiver.received.has(id))
  while (!talk.every(isWhole) && Date.now() < until) await setTimeout(50)
}

async function count (talk: readonly Pair[], killed: number): Promise<Figures> {
  const lost: string[] = []
  const doubled: string[] = []
  let holes = 0
  for (const { sender, receiver } of talk) {
    const archives = await Promise.all([readArchive(sender.account), readArchive(receiver.account)])
    for (const archive of archives) {
      const bodies = archive.map(({ body }) => body)
      lost.push(...[...sender.acknowledged].filter(id => !bodies.includes(id)))
      doubled.push(...bodies.filter((body, at) => bodies.indexOf(body) !== at))
      holes += archive.filter(({ id }, at) => at > 0 && Number(id) !== Number(archive[at - 1]?.id) + 1).length
    }
    lost.push(...[...sender.acknowledged].filter(id => !receiver.received.has(id)))
  }
  const sum = (figure: (pair: Pair) => number): number => talk.reduce((total, pair) => total + figure(pair), 0)
  return {
    sent: sum(({ sender }) => sender.sent),
    acknowledged: sum(({ sender }) => sender.acknowledged.size),
    reconnected: sum(({ sender }) => sender.reconnected),
    refused: sum(({ sender }) => sender.refused),
    receivedAgain: sum(({ receiver }) => [...receiver.received.values()].reduce((again, times) => again + times - 1, 0)),
    killed, lost, doubled, holes,
  }
}
