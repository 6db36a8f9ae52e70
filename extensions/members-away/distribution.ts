/**
 * Distributes a group's messages to members who are not in the room: once to each node with online members, which knows
 * them (members-here.ts), and from there to their accounts, whose owner nodes know which sessions are not in the room.
 * A node that has reported no members is skipped until it reports some.
 */
import { inBackground, Jid, storedStanza } from '../../src/extension/api.ts'
import type { ExtensionHost, Message, ClusterFacet, RoomView } from '../../src/extension/api.ts'
import { MembersHere } from './members-here.ts'

/** Requests between nodes: a room's message (the body), that a room has members here, changed accounts. */
type Request =
  | readonly ['said', room: string, sender: string]
  | readonly ['here', room: string]
  | readonly ['changed', ...accounts: string[]]

const NONE = '0'
const SENDING = 'messages to members who are away'

export class Distribution {
  readonly #host: ExtensionHost
  readonly #cluster: ClusterFacet | undefined
  readonly #members: MembersHere
  /** Nodes without online members of a room, by room; those that are gone are taken out at its next message. */
  readonly #without = new Map<string, Set<string>>()

  #last: Promise<void> | undefined

  constructor (host: ExtensionHost) {
    this.#host = host
    this.#cluster = host.cluster
    this.#members = new MembersHere({
      db: host.db, log: host.log, isOnline: account => host.accounts.sessionsOf(account).length > 0,
      first: room => { this.#run('report to a room\'s owner', this.#tellHome(room)) },
    })
    this.#cluster?.answer<Request>((from, request, body) => this.#answer(from, request, body))
  }

  cameOnline (account: Jid): void {
    this.#lookAt(account)
  }

  wentOffline (account: Jid): void {
    this.#members.remove(account)
  }

  /** Affiliations or preferences of accounts have changed: their owner nodes look them up again. */
  changed (accounts: readonly Jid[]): void {
    const online = accounts.filter(account => this.#host.accounts.sessionsOf(account).length > 0)
    for (const account of online) this.#lookAt(account)
    const elsewhere = accounts.filter(account => !online.includes(account))
    if (elsewhere.length === 0) return
    for (const node of this.#cluster?.nodes ?? []) this.#tell(node, ['changed', ...elsewhere.map(String)])
  }

  /** Sends a message of a room, by that account or by the room itself, to its members. */
  send (room: RoomView, message: Message, sender: Jid | undefined): void {
    const key = room.jid.toString()
    this.#run(SENDING, this.#inOrder(() => { this.#sendHere(room, key, message, sender) }))
    const { nodes = [] } = this.#cluster ?? {}
    if (nodes.length === 0) return
    const without = this.#without.get(key) ?? new Set()
    this.#without.set(key, without)
    for (const node of without) if (!nodes.includes(node)) without.delete(node)
    const bytes = message.toBytes()
    const request = ['said', key, sender?.toString() ?? ''] as const
    for (const node of nodes) if (!without.has(node)) this.#tell(node, request, bytes, without)
  }

  /** The room is not at home here any more: what nodes answer from now on counts for nothing. */
  forget (room: Jid): void {
    this.#without.delete(room.toString())
  }

  #sendHere (room: RoomView, key: string, message: Message, sender: Jid | undefined): void {
    const members = this.#willing(this.#members.of(key), sender)
    if (members.length === 0) return
    this.#run(SENDING, this.#host.rooms.sendInOrder(room, members, account => {
      this.#host.messages.route(message.copyFor(account))
      return message.weight
    }))
  }

  /** Members who have not blocked the sender's real address, which the room does not reveal (XEP-0191 §3.3). */
  #willing (members: readonly Jid[], sender: Jid | undefined): readonly Jid[] {
    return sender && members.length > 0 ? members.filter(this.#host.accounts.willingToHear(sender)) : members
  }

  #lookAt (account: Jid): void {
    this.#run('lookup of an account\'s rooms', this.#members.look(account))
  }

  #run (task: string, running: void | Promise<void>): void {
    inBackground(this.#host.log, task, running)
  }

  #tell (node: string, request: Request, body?: Buffer, without?: Set<string>): void {
    this.#cluster?.ask(node, request, body).then(answer => {
      if (answer === NONE) without?.add(node)
    }, () => {}) // that node is gone, with its online members
  }

  async #answer (from: string, [what, ...about]: Request, body: Buffer): Promise<string> {
    const [first = '', sender = ''] = about
    if (what === 'here') this.#without.get(first)?.delete(from)
    else if (what === 'changed') this.#look(about)
    else if (what === 'said') return this.#hand(first, sender === '' ? undefined : Jid.parse(sender), body)
    return ''
  }

  #look (accounts: readonly string[]): void {
    for (const account of accounts.map(text => Jid.parse(text))) {
      if (this.#host.accounts.sessionsOf(account).length > 0) this.#lookAt(account)
    }
  }

  async #hand (room: string, sender: Jid | undefined, body: Buffer): Promise<string> {
    let members: readonly Jid[] = []
    await this.#inOrder(() => {
      members = this.#members.of(room)
      const message = members.length > 0 ? storedStanza(body) : undefined
      if (message?.kind === 'message') {
        for (const account of this.#willing(members, sender)) this.#host.messages.route(message.copyFor(account))
      }
    })
    return String(members.length)
  }

  /** At once, or behind pending look-ups and tasks. */
  #inOrder (task: () => void): void | Promise<void> {
    const settled = this.#members.settled()
    if (!settled && !this.#last) return task()
    const done = Promise.all([this.#last, settled]).then(() => {
      if (this.#last === done) this.#last = undefined
      task()
    })
    return this.#last = done
  }

  async #tellHome (room: string): Promise<void> {
    try {
      const home = await this.#cluster?.homeOf(Jid.parse(room))
      if (home !== undefined) this.#tell(home, ['here', room])
    } catch (error) { // Redis is away
      this.#host.log.debug(
        { event: 'members_away.report_failed', err: error, room },
        "members-away: report to a room's owner failed",
      )
    }
  }
}
