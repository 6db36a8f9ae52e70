/** One of several devices of an account: is sent, or gets copies of (XEP-0280), all that the account says and hears. */
import type { XmlElement } from '../../conformance/runner/xml.ts'
import { Line } from './line.ts'
import type { Account } from './line.ts'
import type { Kept } from './talk.ts'

export class Device {
  readonly line: Line
  readonly #jid: string
  /** The conversation as it came: under the account's archive ids, or none where a message has none. */
  readonly conversation: Kept[] = []

  constructor (account: Account, resource: string) {
    this.line = new Line(account, resource)
    this.#jid = account.jid
  }

  /** Resolves when its line is hung up. */
  async run (): Promise<void> {
    for (let opened = await this.line.open(); opened; opened = await this.line.open()) {
      try {
        if (opened.taken < 2) {
          // What another device has not acknowledged yet is replayed first; a copy must not come before it.
          this.line.send('<presence/>')
          this.line.send("<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
        }
        for (;;) this.#take(await this.line.receive())
      } catch { // broken, or silent for a while
        this.line.drop()
      }
    }
  }

  has (body: string): boolean {
    return this.conversation.some(kept => kept.body === body)
  }

  #take (element: XmlElement): void {
    if (element.name !== 'message') return
    const carbon = element.children.find(({ ns }) => ns === 'urn:xmpp:carbons:2')
    const message = carbon ? carbon.children[0]?.children[0] : element
    const body = message?.children.find(({ name }) => name === 'body')?.text
    if (body === undefined) return
    const isOurs = ({ name, attributes }: XmlElement): boolean =>
      name === 'stanza-id' && attributes.get('by') === this.#jid
    this.conversation.push({ id: message?.children.find(isOurs)?.attributes.get('id') ?? 'none', body })
  }
}
