/**
 * Offline delivery in a cluster: the next owner completes a replay in progress, and repeats nothing that a device has
 * acknowledged, even if the position was not saved yet.
 */
import type { AccountView, ExtensionHost, SessionView } from '../../src/extension/api.ts'
import type { Deliveries } from './deliveries.ts'

interface Saved { readonly replaying: readonly string[], readonly position: number }

/** Replicates which sessions have a replay in progress, and what devices have confirmed. */
export function replicateDeliveries (host: ExtensionHost, deliveries: Deliveries): void {
  const replaying = new WeakMap<AccountView, readonly SessionView[]>()
  const note = host.cluster?.replicate({
    save: (account): Saved => ({
      replaying: account.sessions.filter(session => deliveries.isReplaying(session)).map(({ jid }) => jid.resource),
      position: deliveries.position(account),
    }),
    async restore (account, saved, notes) {
      const before = saved as Saved | undefined // as `save` gave it
      const resources = new Set(before?.replaying)
      let position = before?.position ?? 0
      for (const { about } of notes) {
        const rest = about.slice(1)
        if (about.startsWith('=')) position = Number(rest)
        else if (about.startsWith('+')) resources.add(rest)
        else resources.delete(rest)
      }
      await deliveries.takeOver(account, position)
      replaying.set(account, account.sessions.filter(({ jid }) => resources.has(jid.resource)))
    },
    onRestored (account) {
      for (const session of replaying.get(account) ?? []) deliveries.replay(session)
    },
  })
  if (!note) return
  deliveries.whenReplaying = ({ account, jid }, isOn) => { note(account, `${isOn ? '+' : '-'}${jid.resource}`) }
  const moved = new Set<AccountView>()
  deliveries.whenConfirmed = account => { // once for all that one acknowledgement confirms
    moved.add(account)
    if (moved.size === 1) {
      process.nextTick(() => {
        for (const one of moved) note(one, `=${deliveries.position(one)}`)
        moved.clear()
      })
    }
  }
}
