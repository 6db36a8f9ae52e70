/**
 * What one extension is given: each call goes to the part that does it, and is undone when the extension is unloaded.
 */
import type {
  AccountCommands, AccountData, Command, DiscoTarget, ReplicatedState, Events, ExtensionHost, IqHandler, IqRoute, IqTarget, WriteWithArchive,
  WriteWithAffiliations, NonzaHandler, OfferedStream, OtherNodes, Point, Resumption, RoomCommand, RoomData, Stages,
} from '../extension/api.ts'
import { childLog } from '../log.ts'
import type { Logger } from '../log.ts'
import { roomsDomain } from '../muc/context.ts'
import { flagOption, numberOption } from '../muc/room/options/option.ts'
import type { Described, DescribedNumber, RoomOption } from '../muc/room/options/option.ts'
import type { RoomFacts } from '../muc/room/room-options.ts'
import type { Occupant } from '../muc/room/occupant.ts'
import type { Room } from '../muc/room/room.ts'
import type { Parts } from './parts.ts'
import { dataOf } from '../session/account.ts'
import type { Account } from '../session/account.ts'
import type { Session, SessionInfo } from '../session/session.ts'
import type { Database } from '../storage/database.ts'
import { serverSecret } from '../storage/server-secret.ts'
import { neverRejects } from '../util/background.ts'
import type { Element } from '../xml/element.ts'
import type { ArchiveIds } from '../xmpp/archive-ids.ts'
import type { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { presence as makePresence } from '../xmpp/stanza.ts'
import type { Message, Presence, Stanza } from '../xmpp/stanza.ts'
import { stamp } from '../xmpp/stanza-id.ts'
import type { MessagePolicy } from '../xmpp/message-policy.ts'

export class Host implements ExtensionHost {
  readonly hosts: readonly string[]
  readonly roomDomains: readonly string[]
  readonly db: Database
  readonly messageDb: Database
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
    this.roomDomains = parts.hosts.map(roomsDomain)
    this.db = parts.db
    this.messageDb = parts.messageDb
    this.log = childLog(parts.log, { extension: name })
    this.accounts = parts.commands
  }

  async readFor<T> (asker: Jid, work: (db: Database) => Promise<T>): Promise<T> {
    await this.#parts.events.emitAll('account.reads', asker)
    return this.#parts.reading.for(asker, work)
  }

  feature (ns: string, of: DiscoTarget | { readonly accountsOf: readonly string[] } = 'server'): void {
    this.#undo.push(this.#parts.disco.addFeature(ns, of))
  }

  info (form: Element, of: DiscoTarget = 'server'): void {
    this.#undo.push(this.#parts.disco.addForm(form, of))
  }

  streamFeature (
    when: 'before-auth' | 'after-auth',
    element: (stream: OfferedStream, session: Session | undefined) => Element | undefined,
  ): void {
    this.#undo.push(this.#parts.streams.addFeature(when, element))
  }

  declarePolicy (ns: string, policies: MessagePolicy, inRoom?: MessagePolicy): void {
    this.#undo.push(this.#parts.policies.add(ns, policies, inRoom))
  }

  writeWithArchive (ns: string, write: WriteWithArchive): void {
    const { keepWith } = this.#parts
    keepWith.set(ns, write)
    this.#undo.push(() => { keepWith.delete(ns) })
  }

  writeWithAffiliations (write: WriteWithAffiliations): void {
    this.#undo.push(this.#parts.rooms.keepWithAffiliations(write))
  }

  archiveWriterFor ({ children }: Message): WriteWithArchive | undefined {
    const { keepWith } = this.#parts
    for (const { ns } of children) {
      const write = keepWith.get(ns)
      if (write) return write
    }
  }

  policy (message: Message): MessagePolicy {
    return this.#parts.policies.of(message)
  }

  isWorthless (message: Message): boolean {
    return this.#parts.policies.isWorthless(message)
  }

  roomPolicy (message: Message): MessagePolicy {
    return this.#parts.policies.inRoom(message)
  }

  redeliver (account: Account, message: Message): void {
    this.#parts.incoming.handOver(message, account)
  }

  deliverRecovered (account: Account, id: string, message: Message): void {
    this.#parts.incoming.handOverLate(stamp(message, account, id), account)
  }

  iq<const Target extends IqTarget> (route: IqRoute<Target>, handler: IqHandler<Target>): void {
    this.#undo.push(this.#parts.iqs.add(this.#name, route, handler))
  }

  command (command: Command): void {
    this.#undo.push(this.#parts.commandTable.add(command))
  }

  roomCommand (command: RoomCommand): void {
    this.#undo.push(this.#parts.rooms.commands.add(command))
  }

  nonza (name: string, ns: string, handler: NonzaHandler): void {
    this.#undo.push(this.#parts.streams.addNonza(name, ns, handler))
  }

  bindSwitch (ns: string, switchOn: (element: Element, session: Session) => Element | undefined): void {
    this.#undo.push(this.#parts.streams.addSwitch(ns, switchOn))
  }

  loginFeature (element: Element): void {
    this.#undo.push(this.#parts.streams.addLoginFeature(element))
  }

  resumption (
    name: string, ns: string,
    resume: (element: Element, account: Jid | undefined) => Resumption | Promise<Resumption>,
  ): void {
    this.#undo.push(this.#parts.streams.addResume(name, ns, resume))
  }

  endSession (session: Session): void {
    this.#parts.accounts.end(session)
  }

  delivered (stanza: Stanza, session: Session): void {
    this.#parts.events.emit('stanza.delivered', stanza, session)
  }

  on<P extends Point, S extends keyof Stages[P]> (point: P, stage: S, handler: Stages[P][S]): void {
    this.#undo.push(this.#parts.stages.add(this.#name, point, stage, handler))
  }

  when<E extends keyof Events> (event: E, handler: Events[E]): void {
    this.#undo.push(this.#parts.events.add(event, handler))
  }

  route (stanza: Stanza): void {
    this.#parts.router.post(stanza)
  }

  bounce (stanza: Stanza, error: StanzaError): void {
    neverRejects(this.#parts.router.bounce(stanza, error)) // what failed is logged
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

  isContact (account: Account, jid: Jid): boolean {
    return this.#parts.rosters.item(account, jid)?.isListed === true
  }

  replicate (state: ReplicatedState): ((account: Account, about: string, body?: Buffer) => void) | undefined {
    const { replicated, records } = this.#parts
    if (!records) return
    this.#undo.push(replicated.add(this.#name, state))
    return (account, about, body) => { if (!account.isAnonymous) records.append(account, this.#name, about, body) }
  }

  get others (): OtherNodes | undefined {
    const { others, answerers, homes } = this.#parts
    const name = this.#name
    return others && {
      get nodes () { return others.nodes },
      ask: (node, text, body) => others.ask(node, name, text, body),
      answer: handler => {
        answerers.set(name, handler)
        this.#undo.push(() => { answerers.delete(name) })
      },
      homeOf: async jid => (await homes?.find(jid.bare.toString()))?.node,
    }
  }

  confirmLease (): Promise<void> | undefined {
    return this.#parts.homes?.confirmLease()
  }

  verifyHome (account: Jid): Promise<boolean> {
    if (this.roomDomains.includes(account.domain)) return this.#parts.rooms.verify(account)
    return this.#parts.accounts.verify(account)
  }

  accountData<T> (load: (db: Database, account: Jid) => Promise<T>): AccountData<T> {
    const slot = { key: Symbol(this.#name), load: (account: Jid) => load(this.db, account) }
    this.#undo.push(this.#parts.accounts.addData(slot))
    return dataOf(slot)
  }

  roomData<T> (load: (db: Database, room: Jid) => Promise<T>): RoomData<T> {
    const slot = { key: Symbol(this.#name), load: (room: Jid) => load(this.db, room) }
    this.#undo.push(this.#parts.rooms.addData(slot))
    return { of: room => room.data(slot), set: (room, value) => { room.setData(slot, value) } }
  }

  roomOption<T> (option: RoomOption<T>): void {
    this.#undo.push(this.#parts.rooms.options.add(option))
  }

  roomFlag (flag: Described<boolean>): RoomOption<boolean> {
    const option = flagOption(flag)
    this.roomOption(option)
    return option
  }

  roomNumber (number: DescribedNumber): RoomOption<number> {
    const option = numberOption(number)
    this.roomOption(option)
    return option
  }

  roomInfo (facts: RoomFacts): void {
    this.#undo.push(this.#parts.rooms.options.addFacts(facts))
  }

  buildPresence (room: Room, occupant: Occupant): Presence {
    return this.#parts.stages.room.present(makePresence('available', { from: occupant.jid }), room, occupant)
  }

  acceptMembership (room: Room, account: Jid): Promise<void> {
    return this.#parts.rooms.accept(room, account)
  }

  willingToHear (from: Jid): (account: Jid) => boolean {
    const { accounts, stages } = this.#parts
    const presence = makePresence('available', { from })
    return jid => {
      const account = accounts.peek(jid)
      return account === undefined || stages.receive.guard(presence, account) === undefined
    }
  }

  rebroadcastPresence (room: Room, occupant: Occupant): void {
    this.#parts.rooms.represent(room, occupant)
  }

  room (jid: Jid): Promise<Room | undefined> {
    return this.#parts.rooms.room(jid)
  }

  broadcast (room: Room, message: Message): void {
    this.#parts.rooms.broadcast(room, message)
  }

  broadcastRecovered (room: Room, message: Message, id: string, at: number): void {
    this.#parts.rooms.spreadLate(room, message, id, at)
  }

  sayAsRoom (room: Room, message: Message): void | Promise<void> {
    return this.#parts.rooms.announce(room, message)
  }

  hear (session: Session, message: Message): void {
    session.acceptRoomMessage(message, this.#parts.archiveKeys)
  }

  async roomArchiveIds (room: Jid): Promise<ArchiveIds> {
    await this.#parts.archiveKeys.load()
    return this.#parts.archiveKeys.ofRoom(room.toString())
  }

  secret (name: string): Promise<Buffer> {
    return serverSecret(this.db, name)
  }

  every (milliseconds: number, task: () => void | Promise<void>): void {
    const timer = setInterval(() => { neverRejects(this.#run(task)) }, milliseconds) // what failed is logged
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
      this.log.error({ event: 'extension.task_failed', err: error }, 'extension: task failed')
    }
  }
}
