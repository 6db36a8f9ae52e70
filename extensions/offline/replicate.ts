/**
 * Offline delivery in a cluster: the next owner completes a replay in progress, and repeats nothing that a device has
 * acknowledged, even if the position was not saved yet.
 */
import type { AccountView, ExtensionHost, SessionView } from '../../src/extension/api.ts'
import type { Deliveries } from './deliveries.ts'

interface Saved { readonly replaying: readonly string[], readonly position: number }

type Change = readonly ['position', position: string] | readonly ['replaying' | 'replayed', resource: string]

/** Replicates which sessions have a replay in progress, and what devices have confirmed. */
export function replicateDeliveries (host: ExtensionHost, deliveries: Deliveries): void {
  const replaying = new WeakMap<AccountView, readonly SessionView[]>()
  const note = host.cluster?.replicate<Saved, Change>({
    save: account => ({
      replaying: account.sessions.filter(session => deliveries.isReplaying(session)).map(({ jid }) => jid.resource),
      position: deliveries.position(account),
    }),
    async restore (account, saved, notes) {
      const resources = new Set(saved?.replaying)
      let position = saved?.position ?? 0
      for (const { fields: [what, value] } of notes) {
        if (what === 'position') position = Number(value)
        else if (what === 'replaying') resources.add(value)
        else if (what === 'replayed') resources.delete(value)
      }
      await deliveries.takeOver(account, position)
      replaying.set(account, account.sessions.filter(({ jid }) => resources.has(jid.resource)))
    },
    onRestored (account) {
      for (const session of replaying.get(account) ?? []) deliveries.replay(session)
    },
  })
  if (!note) return
  deliveries.whenReplaying = ({ account, jid }, isOn) => {
    note(account, [isOn ? 'replaying' : 'replayed', jid.resource])
  }
  const moved = new Set<AccountView>()
  deliveries.whenConfirmed = account => { // once for all that one acknowledgement confirms
    moved.add(account)
    if (moved.size === 1) {
      process.nextTick(() => {
        for (const one of moved) note(one, ['position', String(deliveries.position(one))])
        moved.clear()
      })
    }
  }
}
