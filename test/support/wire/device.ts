/**
 * A device that does not give up: it sends what it has to say until the server has acknowledged it, and goes on with
 * its session (XEP-0198 §5) at another node when its stream is gone.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Framer } from '../../../src/xml/framer.ts'
import type { Frame } from '../../../src/xml/framer.ts'
import { Jid } from '../../../src/xmpp/jid.ts'
import type { WireClient } from './wire-client.ts'

const NS_MANAGED = 'urn:xmpp:sm:3'
const LIMITS = { stanzaBytes: 1_000_000, depth: 64, attributes: 64, nameBytes: 256, elements: 100_000 }
const HEADER = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
const RETRY_MS = 50

export class Device {
  readonly jid: Jid
  /** Numbers in its account's archive of the messages that came, its other device's among them, as they came. */
  readonly received: string[] = []
  /** What should not have happened. */
  readonly faults: string[] = []
  readonly #connect: (attempt: number) => Promise<WireClient>
  #client: WireClient | undefined
  #session: string | undefined
  #handled = 0
  #acknowledged = 0
  #unacknowledged: string[] = []
  #isOver = false
  #attempts = 0

  /** `connect` gives it a connection to whichever node it is to be at. */
  constructor (jid: string, connect: (attempt: number) => Promise<WireClient>) {
    this.jid = Jid.parse(jid)
    this.#connect = connect
  }

  /** Resolves when it is there for the first time; goes on by itself. */
  async comesOnline (): Promise<void> {
    const framer = await this.#comeIn()
    void this.#live(framer)
  }

  /** Whether the server has acknowledged all that it said. */
  get isSettled (): boolean {
    return this.#client !== undefined && this.#unacknowledged.length === 0
  }

  says (to: string, body: string): void {
    const xml = `<message xmlns='jabber:client' type='chat' to='${to}' id='${body}'><body>${body}</body></message>`
    this.#unacknowledged.push(xml)
    this.#client?.send(`${xml}<r xmlns='${NS_MANAGED}'/>`)
  }

  /** Its connection breaks. */
  loses (): void {
    this.#client?.destroy()
  }

  /** It is no more. */
  ends (): void {
    this.#isOver = true
    this.loses()
  }

  async #live (first: Framer): Promise<void> {
    for (let framer: Framer | undefined = first; framer; framer = await this.#comesBack()) {
      try {
        for (;;) this.#read(framer, await this.#client?.expectHeard('>') ?? '')
      } catch { // the connection is closed
        this.#client?.destroy()
        this.#client = undefined
      }
    }
  }

  async #comesBack (): Promise<Framer | undefined> {
    while (!this.#isOver) {
      try {
        return await this.#comeIn()
      } catch { // that node is gone, or it can't say now where the session is
        await sleep(RETRY_MS)
      }
    }
    return undefined
  }

  /** Logs in, and binds or resumes. */
  async #comeIn (): Promise<Framer> {
    const client = await this.#connect(this.#attempts++)
    try {
      await client.logsIn(this.jid.local)
      if (this.#session === undefined) await this.#begin(client)
      else await this.#resume(client, this.#session)
    } catch (error) {
      client.destroy()
      throw error
    }
    const framer = new Framer(LIMITS)
    framer.push(Buffer.from(HEADER))
    framer.next()
    return framer
  }

  async #begin (client: WireClient): Promise<void> {
    await client.binds(this.jid.resource)
    client.send(`<iq xmlns='jabber:client' type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>`)
    await client.expectHeard('/>')
    client.send(`<enable xmlns='${NS_MANAGED}' resume='true'/>`)
    this.#session = / id='([^']*)'/.exec(await client.expectHeard('/>'))?.[1]
    this.#unacknowledged.push("<presence xmlns='jabber:client'/>")
    this.#goOn(client)
  }

  /** From now on what it says is sent at once. */
  #goOn (client: WireClient): void {
    this.#client = client
    client.send(`${this.#unacknowledged.join('')}<r xmlns='${NS_MANAGED}'/>`)
  }

  async #resume (client: WireClient, id: string): Promise<void> {
    client.send(`<resume xmlns='${NS_MANAGED}' previd='${id}' h='${this.#handled}'/>`)
    const answer = await client.expectHeard('>')
    if (answer.includes('<failed')) this.faults.push(`not resumed: ${answer}`)
    if (!answer.includes('<resumed')) throw new Error(`not now: ${answer}`)
    this.#acknowledge(Number(/ h='(\d+)'/.exec(answer)?.[1]))
    this.#goOn(client)
  }

  #acknowledge (h: number): void {
    this.#unacknowledged.splice(0, h - this.#acknowledged)
    this.#acknowledged = h
  }

  #read (framer: Framer, text: string): void {
    framer.push(Buffer.from(text))
    for (let part = framer.next(); part; part = framer.next()) {
      if (part.kind === 'element') this.#take(part)
    }
  }

  #take ({ name, ns, type, attributes, inner }: Frame): void {
    if (ns === NS_MANAGED) {
      if (name === 'a') this.#acknowledge(Number(/ h='(\d+)'/.exec(attributes)?.[1]))
      else if (name === 'r') this.#client?.send(`<a xmlns='${NS_MANAGED}' h='${this.#handled}'/>`)
      return
    }
    if (ns !== 'jabber:client') return
    this.#handled++
    if (name !== 'message') return
    const content = inner.toString()
    if (type === 'error') this.faults.push(`refused: ${content}`)
    const stanzaId = [...content.matchAll(/<stanza-id [^>]*>/g)].map(([element]) => element)
      .find(element => element.includes(`by='${this.jid.bare}'`))
    const id = / id='([^']+)'/.exec(stanzaId ?? '')?.[1]
    if (id === undefined) this.faults.push(`not kept: ${content}`)
    else this.received.push(id)
  }
}
