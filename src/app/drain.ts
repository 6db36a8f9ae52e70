/**
 * Leaving a cluster in good order: clients are sent away a few at a time, and come back to their sessions at other
 * nodes, to which rooms and accounts are given up one after the other.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Accounts } from '../accounts/accounts.ts'
import type { Rooms } from '../muc/rooms.ts'
import type { SessionStream } from '../session/session.ts'
import { StreamError } from '../xmpp/errors.ts'

/** So many streams end in a millisecond, and so many homes are given up at the same time. */
const STREAMS_AT_ONCE = 5
const HOMES_AT_ONCE = 50

/** Ends the streams with `<system-shutdown/>`: their sessions wait for their clients. */
export async function sendAway (streams: Iterable<SessionStream>): Promise<void> {
  let count = 0
  for (const stream of streams) {
    stream.close(new StreamError('system-shutdown'))
    if (++count % STREAMS_AT_ONCE === 0) await sleep(1)
  }
}

/** Resolves when no room and no account has its home here any more. */
export async function giveUpAll (accounts: Accounts, rooms: Rooms): Promise<void> {
  await inGroups(rooms.atHome(), room => rooms.giveUp(room))
  await inGroups([...accounts.atHome()], account => accounts.giveUp(account))
}

async function inGroups<T> (all: readonly T[], giveUp: (one: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < all.length; at += HOMES_AT_ONCE) await Promise.all(all.slice(at, at + HOMES_AT_ONCE).map(giveUp))
}
