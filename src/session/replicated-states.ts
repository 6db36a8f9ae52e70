/**
 * The replicated state of an account's sessions: the core's and that of extensions. From it the next owner restores the
 * sessions, without streams, to wait for resumption.
 */
import type { ReplicatedState } from '../extension/points.ts'
import type { StageTable } from '../extension/stages.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import { storedStanza } from '../xmpp/read-stanza.ts'
import type { Account } from './account.ts'
import type { EventTable } from './events.ts'
import { HeardNumbers } from './heard-numbers.ts'
import type { SavedAccount, SavedSession, Snapshot } from './homes.ts'
import { Session } from './session.ts'

export class ReplicatedStates {
  readonly #states = new Map<string, ReplicatedState>()
  readonly #stages: StageTable
  readonly #events: EventTable

  constructor (stages: StageTable, events: EventTable) {
    this.#stages = stages
    this.#events = events
  }

  /** The function that is returned removes the state. */
  add (extension: string, state: ReplicatedState): () => void {
    this.#states.set(extension, state)
    return () => { this.#states.delete(extension) }
  }

  /** The current state of the account's sessions. */
  snapshot (account: Account): Snapshot {
    const states: Record<string, unknown> = {}
    for (const [extension, state] of this.#states) {
      const saved = state.save(account)
      if (saved !== undefined) states[extension] = saved
    }
    return { madeAt: account.life?.madeAt, savedAt: Date.now(), sessions: account.sessions.map(saveSession), states }
  }

  /**
   * Restores the sessions. The function that is returned is called once the account is in memory, before any stanza for
   * it, and returns sessions that can't be resumed.
   */
  async restore (account: Account, saved: SavedAccount): Promise<() => readonly Session[]> {
    for (const one of saved.sessions) account.add(this.#session(account, one))
    for (const [extension, state] of this.#states) {
      const notes = (saved.notes[extension] ?? []).map(({ about, body }) => ({ fields: about.split('\n'), body }))
      await state.restore(account, saved.states[extension], notes)
    }
    return () => {
      // States that hold back stanzas for sessions are restored before those that deliver any.
      for (const state of [...this.#states.values()].reverse()) state.onRestored?.(account)
      return account.sessions.filter(session => this.#events.ask('session.ending', session) !== 'keep')
    }
  }

  #session (
    account: Account,
    { resource, flags, presence, priority, isInterested, directed, heardNumbers }: SavedSession,
  ): Session {
    const session = new Session(account.jid.withResource(resource), account, this.#stages)
    for (const flag of flags) session.setFlag(flag, true)
    const last = presence === undefined ? undefined : storedStanza(presence)
    if (last?.kind === 'presence') session.presence = last
    session.priority = priority
    session.isInterested = isInterested
    if (directed.length > 0) session.directed = new Map(directed.map(jid => [jid, Jid.kept(jid)]))
    if (heardNumbers) session.heard = new Map(heardNumbers.map(([room, ranges]) => [room, new HeardNumbers(ranges)]))
    return session
  }
}

function saveSession (
  { jid, flags, presence, priority, isInterested, directed, heard }: Session,
): SavedSession {
  return {
    resource: jid.resource, flags: [...flags], presence: presence?.toXml(NS_CLIENT), priority, isInterested,
    directed: [...directed?.keys() ?? []],
    heardNumbers: heard && [...heard].map(([room, { ranges }]) => [room, ranges] as const),
  }
}
