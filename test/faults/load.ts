/**
 * A load of messages while something goes wrong, and the count afterwards: every message whose acknowledgement its
 * sender saw is in both archives, once, and reached its recipient.
 */
import { setTimeout } from 'node:timers/promises'
import { register } from '../../conformance/runner/register.ts'
import { ANSWER_MS, PASSWORD } from './line.ts'
import type { Account } from './line.ts'
import { readArchive, Receiver, Sender } from './talk.ts'
import type { Kept, Manner, Receipt } from './talk.ts'

export interface Figures {
  readonly sent: number
  readonly acknowledged: number
  /** Came back to its sender, who was told to wait, and sent it again. */
  readonly refused: number
  /** How often a client went on with its session, and how often it had to begin another. */
  readonly resumed: number
  readonly anew: number
  /** Came to the recipient again in another session, with the same archive id, as it may. */
  readonly receivedAgain: number
  /** Acknowledged, and missing in an archive or never received. */
  readonly lost: readonly string[]
  /** More than once in an archive, received under an id that is not the archive's, or twice in one session. */
  readonly doubled: readonly string[]
  /** In an archive, or received, behind what the same sender has sent later. */
  readonly disordered: readonly string[]
  /** Archive ids that stand for more than one message of an archive. */
  readonly idsTwice: number
  /** What clients were told that a server must not say here. */
  readonly wrong: readonly string[]
}

/** What every test here demands. */
export const NOTHING_WRONG = { lost: [], doubled: [], disordered: [], idsTwice: 0, wrong: [] }

export interface Pair { readonly sender: Sender, readonly receiver: Receiver }

export interface LoadOptions extends Pick<Manner, 'paddingBytes' | 'pauseMs'> {
  /** Where senders connect, and receivers where nothing else is said. */
  readonly port: number
  readonly receiverPort?: number
  /** Where the senders' accounts are, and the receivers' where nothing else is said. */
  readonly domain?: string
  readonly receiverDomain?: string
  readonly pairs?: number
  /** The number of the first pair, where others talk at the same time. */
  readonly from?: number
  /** How long all may take to arrive when the harm is done. */
  readonly settleMs?: number
}

const SETTLE_MS = 30_000

/** Lets people talk on one server, as `whileTalking` does. */
export async function underLoad (
  options: LoadOptions, harm: (talk: readonly Pair[]) => Promise<void>,
): Promise<Figures> {
  const { pairs = 3, from = 0, port, receiverPort = port, domain = 'localhost', receiverDomain = domain } = options
  return whileTalking(await Promise.all(Array.from({ length: pairs }, (_, number) => introduce(
    { jid: `romeo${from + number}@${domain}`, port },
    { jid: `juliet${from + number}@${receiverDomain}`, port: receiverPort }, options))), harm, options.settleMs)
}

/** Registers both. */
export async function introduce (sender: Account, receiver: Account, manner: Manner): Promise<Pair> {
  for (const { jid, port } of [sender, receiver]) {
    await register({ port, tls: false, patienceMs: ANSWER_MS }, { jid, password: PASSWORD })
  }
  return { sender: new Sender(sender, receiver.jid, manner), receiver: new Receiver(receiver) }
}

/** Lets people talk until `harm` is done and all is acknowledged and received, or for long enough; then counts. */
export async function whileTalking (
  talk: readonly Pair[], harm: (talk: readonly Pair[]) => Promise<void>, settleMs = SETTLE_MS,
): Promise<Figures> {
  const running = talk.flatMap(({ sender, receiver }) => [sender.run(), receiver.run()])
  try {
    await harm(talk)
    for (const { sender } of talk) sender.finish()
    await waitUntil(() => talk.every(isWhole), settleMs)
  } finally {
    for (const { line } of talk.flatMap(({ sender, receiver }) => [sender, receiver])) line.hangUp()
    await Promise.all(running)
  }
  return count(talk)
}

/** For people: what was done, and what came of it. */
export function print (fault: string, done: Readonly<Record<string, number>>, figures: Figures): void {
  const { lost, doubled, disordered, wrong, ...rest } = figures
  console.log(`${fault}:`, {
    ...done, ...rest, lost: lost.length, doubled: doubled.length, disordered: disordered.length, wrong: wrong.length,
  })
}

/** Whether it became true in time. */
export async function waitUntil (isTrue: () => boolean, patienceMs: number): Promise<boolean> {
  const until = Date.now() + patienceMs
  while (!isTrue() && Date.now() < until) await setTimeout(50)
  return isTrue()
}

function isWhole ({ sender, receiver }: Pair): boolean {
  return sender.acknowledged.size === sender.sent && [...sender.acknowledged].every(id => receiver.received.has(id))
}

async function count (talk: readonly Pair[]): Promise<Figures> {
  const lost: string[] = []
  const doubled: string[] = []
  const disordered: string[] = []
  let idsTwice = 0
  for (const { sender, receiver } of talk) {
    const [sent, received] = await Promise.all([readArchive(sender.account), readArchive(receiver.account)])
    for (const [archive, { jid }] of [[sent, sender.account], [received, receiver.account]] as const) {
      const kept = new Set<string>()
      for (const { body } of archive) {
        if (kept.has(body)) doubled.push(`${body} is kept twice for ${jid}`)
        kept.add(body)
      }
      for (const id of sender.acknowledged) if (!kept.has(id)) lost.push(`${id} is not kept for ${jid}`)
      idsTwice += archive.length - new Set(archive.map(({ id }) => id)).size
    }
    for (const id of sender.acknowledged) if (!receiver.received.has(id)) lost.push(`${id} was not received`)
    doubled.push(...wronglyReceived(receiver, received))
    const bodies = [sent.map(({ body }) => body), received.map(({ body }) => body), receiver.received.keys()]
    disordered.push(...bodies.flatMap(some => outOfOrder(sender, some)))
  }
  const sum = (figure: (pair: Pair) => number): number => talk.reduce((total, pair) => total + figure(pair), 0)
  return {
    sent: sum(({ sender }) => sender.sent),
    acknowledged: sum(({ sender }) => sender.acknowledged.size),
    refused: sum(({ sender }) => sender.refused),
    resumed: sum(({ sender, receiver }) => sender.line.resumed + receiver.line.resumed),
    anew: sum(({ sender, receiver }) => sender.line.sessions - 1 + receiver.line.sessions - 1),
    receivedAgain: sum(({ receiver }) => [...receiver.received.values()].flatMap(receipts => receipts.slice(1)).length),
    lost, doubled, disordered, idsTwice,
    wrong: talk.flatMap(({ sender }) => sender.wrong),
  }
}

/** Those that come behind one that was sent later. What came back may have any of its places. */
export function outOfOrder ({ places }: Sender, bodies: Iterable<string>): readonly string[] {
  let last = 0
  return [...bodies].flatMap(body => {
    const place = places.get(body)?.find(one => one > last)
    if (place === undefined) return places.has(body) ? `${body} came too late` : []
    last = place
    return []
  })
}

/** A message that comes again is the same one by its archive id, and comes in another session, never in one resumed. */
function wronglyReceived ({ received }: Receiver, archive: readonly Kept[]): readonly string[] {
  const ids = new Map(archive.map(({ id, body }) => [body, id]))
  return [...received].flatMap(([body, receipts]: [string, readonly Receipt[]]) => {
    const strange = receipts.filter(({ archiveId }) => archiveId !== ids.get(body))
    const again = receipts.filter(({ session }, at) => receipts.findIndex(one => one.session === session) !== at)
    return [
      ...strange.map(({ archiveId }) => `${body} came as ${archiveId} and is kept as ${ids.get(body)}`),
      ...again.map(({ session }) => `${body} came twice in session ${session}`),
    ]
  })
}
