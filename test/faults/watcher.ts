/** A contact of people who talk: who hears of it when one of them goes, and is not to hear of what is no going. */
import { Client } from '../../conformance/runner/client.ts'
import { register } from '../../conformance/runner/register.ts'
import { Line, PASSWORD } from './line.ts'
import type { Account } from './line.ts'

const ASK_MS = 2_000

export class Watcher {
  readonly line: Line
  readonly #contacts: readonly string[]
  /** Full addresses, each time that one came or went. */
  readonly came: string[] = []
  readonly went: string[] = []

  private constructor (account: Account, contacts: readonly string[]) {
    this.line = new Line(account, 'watcher')
    this.#contacts = contacts
  }

  /** Registers it, and sees to it that these will let it know. */
  static async of (account: Account, contacts: readonly string[]): Promise<Watcher> {
    const { jid, port } = account
    await register({ port, tls: false }, { jid, password: PASSWORD })
    for (const contact of contacts) {
      const client = await Client.connect({ port, tls: false }, {
        jid: contact,
        password: PASSWORD,
        resource: 'approves',
      })
      client.send(`<presence type='subscribed' to='${jid}'/>`) // RFC 6121 §3.4
      await client.disconnect()
    }
    return new Watcher(account, contacts)
  }

  /** Resolves when its line is hung up. */
  async run (): Promise<void> {
    // Something has to come now and then, lest the line be taken for dead.
    const asking = setInterval(() => { this.line.ask() }, ASK_MS)
    for (let opened = await this.line.open(); opened; opened = await this.line.open()) {
      try {
        if (opened.isNew) this.line.send('<presence/>')
        if (this.line.sessions + this.line.resumed === 1) this.#subscribe()
        await this.#watch()
      } catch { // broken
        this.line.drop()
      }
    }
    clearInterval(asking)
  }

  #subscribe (): void {
    for (const contact of this.#contacts) this.line.send(`<presence type='subscribe' to='${contact}'/>`)
  }

  async #watch (): Promise<void> {
    for (;;) {
      const { name, attributes } = await this.line.receive()
      const [from = '', type] = [attributes.get('from'), attributes.get('type')]
      if (name !== 'presence' || !this.#contacts.some(contact => from.startsWith(`${contact}/`))) continue
      if (type === 'unavailable') this.went.push(from)
      else if (type === undefined) this.came.push(from)
    }
  }
}
