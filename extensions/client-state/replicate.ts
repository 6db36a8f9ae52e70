/**
 * What is held for inactive clients, in a cluster: their sessions wait for a resumption where the account goes on, and
 * clients are active then (XEP-0352 §5.2), so it is delivered to the sessions there.
 */
import { SESSION_FLAGS, storedStanza } from '../../src/extension/api.ts'
import type { AccountView, ExtensionHost, SessionView } from '../../src/extension/api.ts'
import { Held } from './held.ts'

interface Saved { readonly resource: string, readonly stanzas: readonly string[] }

type Change = readonly ['held' | 'flushed', resource: string]

/** The function that is returned takes notes: a stanza is held, all are flushed; undefined on a single node. */
export function replicateHeld (
  host: ExtensionHost, inactive: ReadonlyMap<SessionView, Held>,
): ((account: AccountView, change: Change, body?: Buffer) => void) | undefined {
  const restored = new WeakMap<AccountView, ReadonlyMap<string, Held>>()
  return host.cluster?.replicate<readonly Saved[], Change>({
    save: account => account.sessions.filter(({ flags }) => flags.has(SESSION_FLAGS.acks)).map(session => ({
      resource: session.jid.resource,
      stanzas: (inactive.get(session)?.stanzas ?? []).map(stanza => stanza.toXml()),
    })).filter(({ stanzas }) => stanzas.length > 0),
    restore (account, saved, notes) {
      const all = new Map<string, Held>()
      const heldOf = (resource: string): Held => {
        const held = all.get(resource) ?? new Held()
        all.set(resource, held)
        return held
      }
      for (const { resource, stanzas } of saved ?? [])
        for (const stanza of stanzas) heldOf(resource).add(storedStanza(stanza))
      for (const { fields: [what, resource], body } of notes) {
        if (what === 'held') heldOf(resource).add(storedStanza(body))
        else if (what === 'flushed') all.delete(resource)
      }
      restored.set(account, all)
    },
    // Behind what stream management has restored.
    onRestored (account) {
      for (const [resource, held] of restored.get(account) ?? [])
        for (const stanza of held.take()) account.session(resource)?.deliver(stanza)
      restored.delete(account)
    },
  })
}
