/**
 * Leaving a cluster in good order (architecture, section 6): clients are sent away a few at a time, and come back to
 * their sessions at other nodes, to which the accounts are given up one after the other.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Accounts } from './accounts/accounts.ts'
import type { SessionStream } from './session/session.ts'
import { StreamError } from './xmpp/errors.ts'

/** So many streams end in a millisecond, and so many accounts are given up at the same time. */
const STREAMS_AT_ONCE = 5
const ACCOUNTS_AT_ONCE = 50

/** Ends the streams with `<system-shutdown/>`: their sessions wait for their clients. */
export async function sendAway (streams: Iterable<SessionStream>): Promise<void> {
  let count = 0
  for (const stream of streams) {
    stream.close(new StreamError('system-shutdown'))
    if (++count % STREAMS_AT_ONCE === 0) await sleep(1)
  }
}

/** Resolves when no account has its home here any more. */
export async function giveUpAll (accounts: Accounts): Promise<void> {
  const all = [...accounts.atHome()]
  for (let at = 0; at < all.length; at += ACCOUNTS_AT_ONCE) {
    await Promise.all(all.slice(at, at + ACCOUNTS_AT_ONCE).map(account => accounts.giveUp(account)))
  }
}
