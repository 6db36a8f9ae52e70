/**
 * The handlers of every stage in the order they run, and what happens when one throws: a guard or rewrite refuses the
 * stanza, an onlooker is skipped, a broken counter ends its session. Errors that are nobody's intention stop here.
 */
import type { Logger } from '../log.ts'
import type { Account } from '../session/account.ts'
import type { Occupant, OccupantSession } from '../muc/room/occupant.ts'
import type { Room } from '../muc/room/room.ts'
import type { Session, SessionInfo } from '../session/session.ts'
import type { Element } from '../xml/element.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import type { Message, Presence, Stanza } from '../xmpp/stanza.ts'
import type { AffiliationChange, Point, Stages, Stored, Verdict } from './api.ts'

interface Entry<Handler> { readonly extension: string, readonly run: Handler }

type Table = { readonly [P in Point]: { readonly [S in keyof Stages[P]]: Entry<Stages[P][S]>[] } }

export class StageTable {
  readonly #table: Table = {
    read: { arrived: [], handled: [] },
    send: { guard: [], rewrite: [], store: [], fanout: [] },
    receive: { guard: [], rewrite: [], store: [], fanout: [] },
    room: { guard: [], rewrite: [], isDuplicate: [], store: [], fanout: [], changed: [], welcome: [], present: [] },
    write: { hold: [], track: [] },
  }
  readonly #log: Logger

  constructor (log: Logger) {
    this.#log = log
  }

  /** Adds a handler behind those of the stage; what is returned takes it away again. */
  add<P extends Point, S extends keyof Stages[P]> (extension: string, point: P, stage: S, run: Stages[P][S]): () => void {
    // The type of a table of tables, which TypeScript can't follow through two type parameters.
    const entries = this.#table[point][stage] as Entry<Stages[P][S]>[]
    const entry = { extension, run }
    entries.push(entry)
    return () => { entries.splice(entries.indexOf(entry), 1) }
  }

  arrived (session: Session): void {
    for (const { extension, run } of this.#table.read.arrived) {
      try { run(session) } catch (error) { this.#report(error, extension, 'read.arrived') }
    }
  }

  handled (session: Session): void {
    for (const { extension, run } of this.#table.read.handled) {
      try { run(session) } catch (error) { this.#report(error, extension, 'read.handled') }
    }
  }

  /** The first verdict that is one. */
  guardSent (stanza: Stanza, sender: Session): Verdict {
    for (const { extension, run } of this.#table.send.guard) {
      try {
        const verdict = run(stanza, sender)
        if (verdict) return verdict
      } catch (error) { return this.#refusal(error, extension, 'send.guard', stanza) }
    }
  }

  guardReceived (stanza: Stanza, account: Account): Verdict {
    for (const { extension, run } of this.#table.receive.guard) {
      try {
        const verdict = run(stanza, account)
        if (verdict) return verdict
      } catch (error) { return this.#refusal(error, extension, 'receive.guard', stanza) }
    }
  }

  /** What all see from here on; throws the StanzaError of a handler that failed. */
  rewriteSent (stanza: Stanza, sender: Session): Stanza {
    let rewritten = stanza
    for (const { extension, run } of this.#table.send.rewrite) {
      try { rewritten = run(rewritten, sender) } catch (error) {
        throw this.#refusal(error, extension, 'send.rewrite', stanza)
      }
    }
    return rewritten
  }

  rewriteReceived (stanza: Stanza, account: Account): Stanza {
    let rewritten = stanza
    for (const { extension, run } of this.#table.receive.rewrite) {
      try { rewritten = run(rewritten, account) } catch (error) {
        throw this.#refusal(error, extension, 'receive.rewrite', stanza)
      }
    }
    return rewritten
  }

  /** Where the sender's copy is kept, if it is; throws the StanzaError of a handler that failed. */
  storeSent (message: Message, sender: Session): Stored | undefined {
    for (const { extension, run } of this.#table.send.store) {
      try {
        const stored = run(message, sender)
        if (stored) return stored
      } catch (error) { throw this.#refusal(error, extension, 'send.store', message) }
    }
  }

  storeReceived (message: Message, account: Account): Stored | undefined {
    for (const { extension, run } of this.#table.receive.store) {
      try {
        const stored = run(message, account)
        if (stored) return stored
      } catch (error) { throw this.#refusal(error, extension, 'receive.store', message) }
    }
  }

  fanOutSent (message: Message, sender: Session): void {
    for (const { extension, run } of this.#table.send.fanout) {
      try { run(message, sender) } catch (error) { this.#report(error, extension, 'send.fanout', message) }
    }
  }

  fanOutReceived (message: Message, account: Account, recipients: readonly SessionInfo[]): void {
    for (const { extension, run } of this.#table.receive.fanout) {
      try { run(message, account, recipients) } catch (error) {
        this.#report(error, extension, 'receive.fanout', message)
      }
    }
  }

  guardInRoom (message: Message, room: Room, sender: Occupant): Verdict {
    for (const { extension, run } of this.#table.room.guard) {
      try {
        const verdict = run(message, room, sender)
        if (verdict) return verdict
      } catch (error) { return this.#refusal(error, extension, 'room.guard', message) }
    }
  }

  rewriteInRoom (message: Message, room: Room, sender: Occupant): Message {
    let rewritten = message
    for (const { extension, run } of this.#table.room.rewrite) {
      try { rewritten = run(rewritten, room, sender) } catch (error) {
        throw this.#refusal(error, extension, 'room.rewrite', message)
      }
    }
    return rewritten
  }

  isKnownInRoom (message: Message, room: Room, sender: Occupant): boolean {
    for (const { extension, run } of this.#table.room.isDuplicate) {
      try {
        if (run(message, room, sender)) return true
      } catch (error) { this.#report(error, extension, 'room.known', message) }
    }
    return false
  }

  storeInRoom (message: Message, room: Room, sender: Occupant | undefined): Stored | undefined {
    for (const { extension, run } of this.#table.room.store) {
      try {
        const stored = run(message, room, sender)
        if (stored) return stored
      } catch (error) { throw this.#refusal(error, extension, 'room.store', message) }
    }
  }

  fanOutInRoom (message: Message, room: Room, sender: Occupant | undefined): void {
    for (const { extension, run } of this.#table.room.fanout) {
      try { run(message, room, sender) } catch (error) { this.#report(error, extension, 'room.fanout', message) }
    }
  }

  /** What stands in the payload that tells of the change. */
  changedInRoom (change: AffiliationChange, room: Room): string {
    return this.#written('changed', run => run(change, room))
  }

  /** What stands in the payload of who comes in. */
  welcomeInRoom (request: Element | undefined, room: Room, session: OccupantSession): string {
    return this.#written('welcome', run => run(request, room, session))
  }

  #written<S extends 'changed' | 'welcome'> (stage: S, ask: (run: Stages['room'][S]) => string | undefined): string {
    let written = ''
    for (const { extension, run } of this.#table.room[stage]) {
      try { written += ask(run) ?? '' } catch (error) { this.#report(error, extension, `room.${stage}`) }
    }
    return written
  }

  presentInRoom (presence: Presence, room: Room, occupant: Occupant): Presence {
    let presented = presence
    for (const { extension, run } of this.#table.room.present) {
      try { presented = run(presented, room, occupant) } catch (error) {
        this.#report(error, extension, 'room.present', presence)
      }
    }
    return presented
  }

  /** Whether somebody keeps the stanza back. */
  isHeld (stanza: Stanza, session: Session): boolean {
    for (const { extension, run } of this.#table.write.hold) {
      try {
        if (run(stanza, session)) return true
      } catch (error) { this.#report(error, extension, 'write.hold', stanza) }
    }
    return false
  }

  track (stanza: Stanza, session: Session): void {
    for (const { extension, run } of this.#table.write.track) {
      try { run(stanza, session) } catch (error) {
        this.#report(error, extension, 'write.track', stanza)
        session.close(new StreamError('internal-server-error'))
      }
    }
  }

  /** One line per stage that somebody stands in: `point.stage: extension, extension`. */
  toString (): string {
    const lines: string[] = []
    for (const [point, stages] of Object.entries(this.#table)) {
      for (const [stage, entries] of Object.entries<readonly Entry<unknown>[]>(stages)) {
        lines.push(`${point}.${stage}: ${entries.map(e => e.extension).join(', ') || '-'}`)
      }
    }
    return lines.join('\n') + '\n'
  }

  // A guard fails closed: what broke it is logged, and the sender may try again.
  #refusal (error: unknown, extension: string, stage: string, stanza: Stanza): StanzaError {
    if (error instanceof StanzaError) return error
    this.#report(error, extension, stage, stanza)
    return new StanzaError('internal-server-error', undefined, undefined, 'wait')
  }

  #report (error: unknown, extension: string, stage: string, stanza?: Stanza): void {
    this.#log.error({ event: 'extension.stage_handler_failed', err: error, extension, stage, stanza: stanza?.summary() },
      'extension: stage handler failed')
  }
}
