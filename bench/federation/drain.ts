/**
 * How fast a queue drains: messages wait at one installation of ours for a domain at another, whose address DNS gives
 * wrong until all of them are acknowledged to their senders.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../../conformance/peers/free-port.ts'
import { meet, part, received } from '../loads/pairs.ts'
import type { Pair } from '../loads/pairs.ts'
import type { Field } from './field.ts'
import type { FederationOptions } from './options.ts'
import { addAccounts, costOf, job } from './ways.ts'

const PROGRAM = join(import.meta.dirname, '../../src/main.ts')
/** Messages of one sender that are not acknowledged. */
const AHEAD = 50
const POLL_MS = 20
/** The longest that the filling and the draining may take. */
const PATIENCE_MS = 600_000

export interface Drained {
  /** Messages a second by the clock until they were queued, had arrived, and were deleted here. */
  readonly queued: number
  readonly arrived: number
  readonly deleted: number
  /** Messages for a second of processor time of either end while they drained, PostgreSQL included. */
  readonly sender: number
  readonly receiver: number
  readonly faults: readonly string[]
}

/** Lets `options.drain` messages wait, and go. */
export async function measureDrain (field: Field, options: FederationOptions): Promise<Drained> {
  const sender = await field.add('ours', 'ours.example', true)
  const receiver = await field.add('ours', 'second-ours.example', true)
  for (const server of [sender, receiver]) await addAccounts(server, options)
  await Promise.all([sender.start(), receiver.start()])
  const record = `_xmpp-server._tcp.${receiver.domain}`
  const found = field.dns.names.get(record) ?? {}
  field.dns.names.set(record, { srv: [{ port: await freePort(), target: 'localhost' }], ttl: 0 })
  const pairs = await meet({ ...job(sender, receiver, options), acks: true })
  const each = Math.ceil(options.drain / pairs.length)
  const queued = await timed(() => fill(pairs, each))
  field.dns.names.set(record, found)
  const before = [costOf(sender), costOf(receiver)] as const
  await promisify(execFile)(process.execPath,
    [PROGRAM, 'federation', 'retry', receiver.domain, '--config', join(sender.folder, 'server.yaml')])
  const began = performance.now()
  await until(() => received(pairs) >= each * pairs.length)
  const arrived = (performance.now() - began) / 1000
  await until(async () => await sender.countRows('remote_message') === 0)
  const deleted = (performance.now() - began) / 1000
  const all = each * pairs.length
  const [sent, taken] = [costOf(sender) - before[0], costOf(receiver) - before[1]]
  const faults = await part(pairs)
  return {
    queued: all / queued, arrived: all / arrived, deleted: all / deleted,
    sender: all / sent, receiver: all / taken, faults,
  }
}

/** Resolves when all have written so many, and these are acknowledged. */
async function fill (pairs: readonly Pair[], each: number): Promise<void> {
  for (const { talker } of pairs) {
    talker.onAck = count => { talker.send(Math.min(count, each - talker.sent)) }
    talker.send(Math.min(AHEAD, each))
  }
  await until(() => pairs.every(({ talker }) => talker.acknowledged >= each))
  for (const { talker } of pairs) talker.onAck = () => {}
}

async function until (isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!await isSo()) {
    if (performance.now() > deadline) throw new Error('it did not come to an end')
    await sleep(POLL_MS)
  }
}

async function timed (work: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await work()
  return (performance.now() - began) / 1000
}
