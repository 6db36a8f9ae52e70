/**
 * Orderly departure from a cluster: streams are closed a few at a time, so that clients resume at other nodes, and the
 * ownership of rooms and accounts is released in groups.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Accounts } from '../accounts/accounts.ts'
import type { Rooms } from '../muc/rooms.ts'
import type { PubsubService } from '../pubsub/service.ts'
import type { SessionStream } from '../session/session.ts'
import { inSlices } from '../util/slices.ts'
import { StreamError } from '../xmpp/errors.ts'

/** Streams closed per millisecond. */
const STREAMS_AT_ONCE = 5
/** Accounts or rooms released concurrently. */
const HOMES_AT_ONCE = 50

/** Closes the streams with `<system-shutdown/>`; their sessions wait for a resumption. */
export async function sendAway (streams: Iterable<SessionStream>): Promise<void> {
  let count = 0
  for (const stream of streams) {
    stream.close(new StreamError('system-shutdown'))
    if (++count % STREAMS_AT_ONCE === 0) await sleep(1)
  }
}

/** Ends sessions that wait for a resumption, for which no node is left: contacts elsewhere see them go offline. */
export async function endSessions (accounts: Pick<Accounts, 'sessions' | 'end'>): Promise<void> {
  await inSlices(ending(accounts))
}

function * ending (accounts: Pick<Accounts, 'sessions' | 'end'>): Generator<void> {
  for (const session of accounts.sessions()) {
    accounts.end(session)
    yield
  }
}

/** What a node owns. */
interface Homes {
  readonly accounts: Accounts
  readonly rooms: Rooms
  readonly pubsub: { readonly service: PubsubService }
}

/** Resolves when this node owns no service, no room and no account any more. */
export async function giveUpAll ({ accounts, rooms, pubsub: { service } }: Homes): Promise<void> {
  for (const domain of service.atHome()) service.giveUp(domain)
  await inGroups(rooms.atHome(), room => rooms.giveUp(room))
  await inGroups([...accounts.atHome()], account => accounts.giveUp(account))
}

async function inGroups<T> (all: readonly T[], giveUp: (one: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < all.length; at += HOMES_AT_ONCE) {
    await Promise.all(all.slice(at, at + HOMES_AT_ONCE).map(giveUp))
  }
}
