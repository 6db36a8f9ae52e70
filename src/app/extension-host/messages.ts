/** Messages, as one extension sends and archives them. */
import type { MessagesFacet } from '../../extension/facets/messages.ts'
import type { Account } from '../../session/account.ts'
import type { Session } from '../../session/session.ts'
import { neverRejects } from '../../util/background.ts'
import { stamp } from '../../xmpp/stanza-id.ts'
import type { Registration } from './registration.ts'

export function messagesFacet ({ parts, undo }: Registration): MessagesFacet {
  const { policies, archiveWriters, archive, archiveKeys, router, accounts, events, incoming } = parts
  return {
    declarePolicy (ns, policy, inRoom) { undo.push(policies.add(ns, policy, inRoom)) },
    policy: message => policies.of(message),
    roomPolicy: message => policies.inRoom(message),
    isWorthless: message => policies.isWorthless(message),
    writeWithArchive (ns, write) {
      archiveWriters.set(ns, write)
      undo.push(() => { archiveWriters.delete(ns) })
    },
    archiveWriterFor ({ children }) {
      for (const { ns } of children) {
        const write = archiveWriters.get(ns)
        if (write) return write
      }
    },
    provideArchive (provided) {
      archive.provided = provided
      undo.push(() => { archive.provided = undefined })
    },
    get archive () { return archive.provided },
    route (stanza) { router.post(stanza) },
    bounce (stanza, error) { neverRejects(router.bounce(stanza, error)) }, // what failed is logged
    deliver ({ jid }, stanza) { accounts.peek(jid)?.session(jid.resource)?.deliver(stanza) },
    delivered (stanza, session: Session) { events.emit('stanza.delivered', stanza, session) },
    redeliver (account: Account, message) { incoming.handOver(message, account) },
    deliverRecovered (account: Account, number, message) {
      incoming.deliverRecovered(stamp(message, account, number), account)
    },
    noteHeard (session: Session, message) { session.noteHeard(message, archiveKeys) },
  }
}
