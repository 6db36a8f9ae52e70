/**
 * Drops a removed account from every node's memory: contacts' subscriptions, and recipients of directed presence. A
 * later owner of the name inherits nothing.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ExtensionHost } from '../extension/host.ts'
import type { Presences } from '../presence/presence.ts'
import type { Account } from '../session/account.ts'
import type { Life } from '../xmpp/archive-ids.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Accounts } from './accounts.ts'

type LifeOf = (account: Jid) => Promise<Life | undefined>

/** Accounts that are searched at a time. */
const AT_ONCE = 500
const FORGOTTEN = 'forgotten'

/** Makes every node forget an account; the function that is returned rejects where one can't now. */
export function forgettingAtNodes (
  host: ExtensionHost, accounts: Accounts, presences: Presences, lifeOf: LifeOf,
): (former: Jid) => Promise<void> {
  async function forgetHere (former: Jid): Promise<void> {
    for (const [place, account] of (await accounts.allAtHome()).entries()) {
      if (place % AT_ONCE === AT_ONCE - 1) await nextTurn()
      await presences.forget(account, former)?.catch(async (error: unknown) => {
        if (await lifeOf(account.jid)) throw error // or else it is removed at the same time
      })
    }
  }
  host.cluster?.answer<readonly [former: string]>(async (_node, [former]) => {
    await forgetHere(Jid.parse(former))
    return FORGOTTEN
  })
  return async former => {
    await forgetHere(former)
    await Promise.all((host.cluster?.nodes ?? []).map(async node => {
      if (await host.cluster?.ask(node, [former.toString()]) === FORGOTTEN) return
      throw new Error(`${node} could not be asked to forget an account`)
    }))
  }
}

/** The same for sessions restored from a record of `savedAt` (ms): an account that is younger was not sent presence. */
export async function forgetDirected (
  { sessions }: Account, savedAt: number, hosts: readonly string[], lifeOf: LifeOf,
): Promise<void> {
  await Promise.all(sessions.flatMap(({ directed }) => [...directed ?? []].map(async ([key, to]) => {
    if (!hosts.includes(to.domain)) return
    const life = await lifeOf(to)
    if (!life || Number(life.madeAt) > savedAt * 1000) directed?.delete(key)
  })))
}
