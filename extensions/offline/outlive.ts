/** Offline delivery on many nodes: a session that was being given what was waiting is given the rest at the next home. */
import type { Account, ExtensionHost, Session } from '../../src/extension/api.ts'
import type { Deliveries } from './deliveries.ts'

/** Remembers outside of the node which sessions are not up to date yet. */
export function outliveNodes (host: ExtensionHost, deliveries: Deliveries): void {
  const replaying = new WeakMap<Account, readonly Session[]>()
  const note = host.durable({
    save: account => account.sessions.filter(session => deliveries.isReplaying(session)).map(({ jid }) => jid.resource),
    restore (account, saved, notes) {
      const resources = new Set((saved ?? []) as readonly string[]) // as `save` gave it
      for (const { about } of notes) {
        if (about.startsWith('+')) resources.add(about.slice(1))
        else resources.delete(about.slice(1))
      }
      replaying.set(account, account.sessions.filter(({ jid }) => resources.has(jid.resource)))
    },
    restored (account) {
      for (const session of replaying.get(account) ?? []) deliveries.replay(session)
    },
  })
  deliveries.whenReplaying = ({ account, jid }, isOn) => { note?.(account, `${isOn ? '+' : '-'}${jid.resource}`) }
}
