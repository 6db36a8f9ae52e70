/** Another server, for tests in one process: what it is sent, and what its users send. */
import { Jid } from '../../../src/xmpp/jid.ts'
import { parseFrame } from '../../../src/xml/framer.ts'
import { NS_CLIENT } from '../../../src/xmpp/ns.ts'
import { stanzaOf } from '../../../src/xmpp/read-stanza.ts'
import type { Stanza } from '../../../src/xmpp/stanza.ts'
import { brief } from './brief.ts'
import type { World } from './world.ts'

const LIMITS = { stanzaBytes: 1_000_000, depth: 64, attributes: 64, nameBytes: 256, elements: 100_000 }

export class RemoteServer {
  readonly #world: World
  readonly #received: Stanza[] = []

  constructor (world: World, domain: string) {
    this.#world = world
    world.core.router.serve(domain, {
      receive: stanza => { this.#received.push(stanza) },
      receiveHere: () => true,
    })
  }

  /** Sends a stanza of one of its users, both of whose addresses are in it; resolves when it was dealt with. */
  async sends (xml: string): Promise<void> {
    const frame = parseFrame(Buffer.from(xml.replace(/^<([a-z]+)/, `<$1 xmlns='${NS_CLIENT}'`)), LIMITS)
    const stanza = stanzaOf(frame, Jid.parse(frame.from ?? ''), Jid.parse(frame.to ?? ''), frame.lang)
    if (!stanza) throw new Error(`<${frame.name}/> is no stanza`)
    await this.#world.core.router.route(stanza)
  }

  /** What came since the last look, once everything that is under way has arrived. */
  async received (): Promise<readonly string[]> {
    await this.#world.idle()
    return this.#received.splice(0).map(stanza => stanza.toXml())
  }

  /** The same: to whom, and each stanza in a few words. */
  async receivedInBrief (): Promise<readonly string[]> {
    await this.#world.idle()
    return this.#received.splice(0).map(stanza => `${stanza.to}: ${brief(stanza)}`)
  }
}
