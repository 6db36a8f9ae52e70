/**
 * XEP-0198 §5 in a cluster: replicates what another node needs for a resumption, even after a crash: unacknowledged
 * stanzas, and the counts of both sides.
 */
import { inSlices, storedStanza } from '../../src/extension/api.ts'
import type { AccountView, ExtensionHost, Message, Note, SessionView } from '../../src/extension/api.ts'
import { AckQueue, delayed } from './ack-queue.ts'
import type { Sent } from './ack-queue.ts'
import type { Change, Counts, ManagedSession, Noter, Terms } from './managed-session.ts'

/** `archiveId` is the number in the account's archive; nodes of older versions know it by this name. */
interface SavedStanza { readonly at: number, readonly archiveId?: string | undefined, readonly xml: string }

interface Saved extends Counts {
  readonly resource: string
  readonly id: string
  readonly seconds: number
  readonly waiting: readonly SavedStanza[]
}

/**
 * Saves the sessions that may be resumed; `manage` restores one. The function that is returned takes notes; undefined
 * on a single node.
 */
export function replicateSessions (
  host: ExtensionHost, sessions: ReadonlyMap<SessionView, ManagedSession>,
  manage: (session: SessionView, terms: Terms, counts: Counts) => void,
): Noter | undefined {
  const hear = (session: SessionView, message: Message): void => { host.messages.noteHeard(session, message) }
  return host.cluster?.replicate<readonly Saved[], Change>({
    save: account => account.sessions.flatMap(session => save(session, sessions.get(session))),
    restore: (account, saved, notes) =>
      inSlices(restoreEach(saved ?? [], one => restore(account, one, notes, manage, hear))),
  })
}

function save (session: SessionView, managed: ManagedSession | undefined): readonly Saved[] {
  if (managed?.id === undefined) return []
  const { id, seconds, handled, queue } = managed
  const waiting = queue.waiting.map(({ stanza, at }) => ({
    at, archiveId: stanza.archiveNumber, xml: stanza.toBytes().toString(),
  }))
  return [{ resource: session.jid.resource, id, seconds, handled, acknowledged: queue.acknowledged, waiting }]
}

/** Restores what `save` gave, a stanza a step. */
function * restoreEach (saved: readonly Saved[], restore: (one: Saved) => Iterable<void>): Generator<void> {
  for (const one of saved) yield * restore(one)
}

/** The session as of its node's death, waiting for resumption. */
function * restore (
  account: AccountView, saved: Saved, notes: readonly Note<Change>[],
  manage: (session: SessionView, terms: Terms, counts: Counts) => void,
  hear: (session: SessionView, message: Message) => void,
): Generator<void> {
  const session = account.session(saved.resource)
  if (!session) return
  const queue = new AckQueue(saved.acknowledged)
  const push = (written: Sent): void => {
    queue.push(written)
    if (written.stanza.kind === 'message') hear(session, written.stanza)
  }
  for (const { at, archiveId, xml } of saved.waiting) {
    push(sent(at, archiveId, xml))
    yield
  }
  let { handled } = saved
  for (const { fields: [what, resource, value, archiveNumber], body } of notes) {
    if (resource !== saved.resource) continue
    if (what === 'h') handled = Number(value)
    else if (what === 'a') queue.acknowledge(Number(value))
    else if (what === 'w') {
      push(sent(Number(value), archiveNumber || undefined, body))
      yield
    }
  }
  manage(session, saved, { handled, acknowledged: queue.acknowledged })
  for (const { stanza, at } of queue.waiting) {
    session.deliver(delayed(stanza, at)) // to all who count what it is given
    yield
  }
}

function sent (at: number, archiveNumber: string | undefined, xml: string | Buffer): Sent {
  const stanza = storedStanza(xml)
  const numbered = archiveNumber === undefined ? stanza : stanza.withArchiveNumber(archiveNumber)
  return { stanza: numbered, at, siblingSessions: [] }
}
