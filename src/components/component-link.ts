/**
 * What a queue sends to a component through: its streams, several of which share the work so that what one address
 * sends to another stays in order.
 */
import { hash } from 'node:crypto'
import { LinkError } from '../s2s/link.ts'
import type { Link } from '../s2s/link.ts'
import { neverRejects } from '../util/background.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { ComponentStream } from './component-stream.ts'

export class ComponentLink implements Link {
  readonly local: string
  readonly remote: string
  readonly provenBy = 'secret'
  readonly tls: string | undefined
  readonly #closed: (link: ComponentLink) => void
  #streams: readonly ComponentStream[]
  #lostBy: LinkError | undefined
  #isClosed = false
  #handlers: ((reason: LinkError) => void)[] = []
  #sent = 0
  #sharing: Promise<void> | undefined

  /** `closed` is called when the link is closed by its owner. */
  constructor (
    local: string, remote: string, streams: readonly ComponentStream[], closed: (link: ComponentLink) => void,
  ) {
    this.local = local
    this.remote = remote
    this.tls = streams[0]?.tls
    this.#streams = streams
    this.#closed = closed
  }

  get isOpen (): boolean {
    return !this.#isClosed && this.#lostBy === undefined
  }

  send (stanza: Stanza): void {
    if (!this.isOpen) return
    this.#sent++
    this.#streamFor(stanza)?.send(stanza)
  }

  #streamFor ({ from, to }: Stanza): ComponentStream | undefined {
    if (this.#streams.length === 1) return this.#streams[0]
    const digest = hash('sha1', `${from?.bare}\0${to?.bare}`)
    return this.#streams[Number.parseInt(digest.slice(0, 8), 16) % this.#streams.length]
  }

  drained (): Promise<void> | undefined {
    if (this.#sharing) return this.#sharing
    const waiting = this.#streams.map(stream => stream.drained()).filter(done => done !== undefined)
    if (waiting.length > 0) return Promise.all(waiting).then(() => {})
  }

  async confirm (): Promise<void> {
    await Promise.all(this.#streams.map(stream => stream.confirm()))
  }

  whenLost (handler: (reason: LinkError) => void): void {
    if (this.#lostBy) return handler(this.#lostBy)
    this.#handlers.push(handler)
  }

  close (): void {
    if (!this.isOpen) return
    this.#isClosed = true
    this.#closed(this)
    this.#tell(new LinkError('unreachable', 'the link was closed'))
  }

  /** One of the streams is gone: what it was sent and has not read must be sent again. */
  lost (reason: LinkError): void {
    if (!this.isOpen) return
    this.#lostBy = reason
    this.#tell(reason)
  }

  #tell (reason: LinkError): void {
    const handlers = this.#handlers
    this.#handlers = []
    for (const handler of handlers) handler(reason)
  }

  /** Other streams share the work: once what was sent is read, so that order holds. */
  share (streams: readonly ComponentStream[]): void {
    const sharing = this.#confirmAll().then(() => { this.#streams = streams }, () => {}) // it is lost
    const over = sharing.then(() => { if (this.#sharing === over) this.#sharing = undefined })
    this.#sharing = over
    neverRejects(over)
  }

  async #confirmAll (): Promise<void> {
    let sent: number
    do {
      sent = this.#sent
      await this.confirm()
    } while (this.isOpen && sent !== this.#sent)
  }
}
