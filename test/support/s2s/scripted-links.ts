/** Links to other servers that do what a test says: nothing is sent over a network. */
import { LinkError } from '../../../src/s2s/link.ts'
import type { Link, LinkErrorKind, Links } from '../../../src/s2s/link.ts'
import type { Stanza } from '../../../src/xmpp/stanza.ts'

/** A link whose other server takes everything, and says so when it is told to. */
export class ScriptedLink implements Link {
  readonly provenBy = 'certificate'
  readonly tls = 'TLSv1.3'
  readonly local: string
  readonly remote: string
  readonly sent: Stanza[] = []
  isOpen = true
  #lost: ((reason: LinkError) => void) | undefined
  #asked: PromiseWithResolvers<void>[] = []
  readonly #links: ScriptedLinks

  constructor (local: string, remote: string, links: ScriptedLinks) {
    this.local = local
    this.remote = remote
    this.#links = links
  }

  send (stanza: Stanza): void {
    if (!this.isOpen) return
    this.sent.push(stanza)
    this.#links.took(stanza, this)
  }

  drained (): Promise<void> | undefined {
    return this.#links.drained
  }

  confirm (): Promise<void> {
    if (!this.isOpen) return Promise.reject(new LinkError('unreachable', 'the link is lost'))
    const asked = Promise.withResolvers<void>()
    this.#asked.push(asked)
    if (this.#links.confirms) this.confirmAll()
    return asked.promise
  }

  whenLost (handler: (reason: LinkError) => void): void {
    this.#lost = handler
  }

  close (): void {
    this.loses(new LinkError('unreachable', 'it was closed'))
  }

  /** The other server answers everything that it was asked. */
  confirmAll (): void {
    for (const { resolve } of this.#asked.splice(0)) resolve()
  }

  loses (reason = new LinkError('unreachable', 'the connection broke')): void {
    if (!this.isOpen) return
    this.isOpen = false
    for (const asked of this.#asked.splice(0)) {
      asked.promise.catch(() => {}) // nobody may wait for it any more
      asked.reject(reason)
    }
    this.#lost?.(reason)
  }
}

export class ScriptedLinks implements Links {
  /** All links that were opened. */
  readonly opened: ScriptedLink[] = []
  attempts = 0
  /** What opening fails with. */
  failure: { readonly kind: LinkErrorKind, readonly message: string } | undefined
  /** Confirmations are answered at once. */
  confirms = true
  drained: Promise<void> | undefined
  /** The other server has got a stanza. */
  took: (stanza: Stanza, link: ScriptedLink) => void = () => {}

  async open (local: string, remote: string): Promise<Link> {
    this.attempts++
    await Promise.resolve()
    if (this.failure) throw new LinkError(this.failure.kind, this.failure.message)
    const link = new ScriptedLink(local, remote, this)
    this.opened.push(link)
    return link
  }

  /** What the other servers have got, as one text each: the ids of messages. */
  get ids (): readonly (string | undefined)[] {
    return this.opened.flatMap(({ sent }) => sent.map(({ id }) => id))
  }
}
