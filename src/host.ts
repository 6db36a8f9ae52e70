/** What one extension is given: each call goes to the part that does it, and is undone when the extension is unloaded. */
import type { Accounts } from './accounts/accounts.ts'
import type {
  AccountCommands, AccountData, DiscoTarget, Events, ExtensionHost, IqHandler, IqRoute, IqTarget, NonzaHandler, OfferedStream, Point,
  Stages,
} from './extension/api.ts'
import type { StageTable } from './extension/stages.ts'
import { childLog } from './log.ts'
import type { Logger } from './log.ts'
import type { Disco } from './routing/disco.ts'
import type { IqTable } from './routing/iq-table.ts'
import type { Router } from './routing/router.ts'
import type { Rosters } from './roster/roster.ts'
import { dataOf } from './session/account.ts'
import type { Account } from './session/account.ts'
import type { EventTable } from './session/events.ts'
import type { SessionInfo } from './session/session.ts'
import type { Database } from './storage/database.ts'
import type { StreamTable } from './stream/stream-table.ts'
import type { Element } from './xml/element.ts'
import type { Jid } from './xmpp/jid.ts'
import type { Stanza } from './xmpp/stanza.ts'

/** The parts of a server that extensions reach through their host. */
export interface Parts {
  readonly hosts: readonly string[]
  readonly db: Database
  readonly log: Logger
  readonly stages: StageTable
  readonly iqs: IqTable
  readonly events: EventTable
  readonly streams: StreamTable
  readonly disco: Disco
  readonly router: Router
  readonly rosters: Rosters
  readonly accounts: Accounts
  readonly commands: AccountCommands
}

export class Host implements ExtensionHost {
  readonly hosts: readonly string[]
  readonly db: Database
  readonly log: Logger
  readonly accounts: AccountCommands
  readonly #name: string
  readonly #parts: Parts
  readonly #undo: (() => void)[] = []
  readonly #atShutdown: (() => void | Promise<void>)[] = []

  constructor (name: string, parts: Parts) {
    this.#name = name
    this.#parts = parts
    this.hosts = parts.hosts
    this.db = parts.db
    this.log = childLog(parts.log, { extension: name })
    this.accounts = parts.commands
  }

  feature (ns: string, of: DiscoTarget = 'server'): void {
    this.#undo.push(this.#parts.disco.addFeature(ns, of))
  }

  info (form: Element, of: DiscoTarget = 'server'): void {
    this.#undo.push(this.#parts.disco.addForm(form, of))
  }

  streamFeature (when: 'before-auth' | 'after-auth', element: (stream: OfferedStream) => Element | undefined): void {
    this.#undo.push(this.#parts.streams.addFeature(when, element))
  }

  iq<const Target extends IqTarget> (route: IqRoute<Target>, handler: IqHandler<Target>): void {
    this.#undo.push(this.#parts.iqs.add(this.#name, route, handler))
  }

  nonza (name: string, ns: string, handler: NonzaHandler): void {
    this.#undo.push(this.#parts.streams.addNonza(name, ns, handler))
  }

  on<P extends Point, S extends keyof Stages[P]> (point: P, stage: S, handler: Stages[P][S]): void {
    this.#undo.push(this.#parts.stages.add(this.#name, point, stage, handler))
  }

  when<E extends keyof Events> (event: E, handler: Events[E]): void {
    this.#undo.push(this.#parts.events.add(event, handler))
  }

  route (stanza: Stanza): void {
    void this.#parts.router.post(stanza)
  }

  deliver (to: SessionInfo, stanza: Stanza): void {
    this.#parts.accounts.peek(to.jid)?.session(to.jid.resource)?.deliver(stanza)
  }

  sessionsOf (account: Jid): readonly SessionInfo[] {
    return this.#parts.accounts.peek(account)?.sessions ?? []
  }

  account (jid: Jid): Promise<Account | undefined> {
    return this.#parts.accounts.load(jid)
  }

  subscribersOf (account: Account): readonly Jid[] {
    return this.#parts.rosters.subscribers(account)
  }

  accountData<T> (load: (db: Database, account: Jid) => Promise<T>): AccountData<T> {
    const slot = { key: Symbol(this.#name), load: (account: Jid) => load(this.db, account) }
    this.#undo.push(this.#parts.accounts.addData(slot))
    return dataOf(slot)
  }

  every (milliseconds: number, task: () => void | Promise<void>): void {
    const timer = setInterval(() => { void this.#run(task) }, milliseconds)
    timer.unref()
    this.#undo.push(() => { clearInterval(timer) })
  }

  atShutdown (task: () => void | Promise<void>): void {
    this.#atShutdown.push(task)
  }

  /** Runs the shutdown tasks and takes back whatever the extension registered. */
  async unload (): Promise<void> {
    for (const task of this.#atShutdown.reverse()) await this.#run(task)
    for (const undo of this.#undo.reverse()) undo()
  }

  async #run (task: () => void | Promise<void>): Promise<void> {
    try {
      await task()
    } catch (error) {
      this.log.error({ err: error }, 'a task of an extension failed')
    }
  }
}
