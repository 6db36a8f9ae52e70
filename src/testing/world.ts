/**
 * A whole server in the test's own process, without a socket: the core with some extensions on the test run's
 * database, and clients that are sessions. What a client sends goes through the same stages as on a stream.
 */
import { onTestFinished } from 'vitest'
import { deriveCredentials } from '../accounts/credentials.ts'
import { createCore } from '../core.ts'
import type { Core } from '../core.ts'
import type { Extension } from '../extension/api.ts'
import { openLog } from '../log.ts'
import type { Session, SessionStream } from '../session/session.ts'
import type { Element } from '../xml/element.ts'
import { parseFrame } from '../xml/framer.ts'
import type { StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import { stanzaOf } from '../xmpp/stanza.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { testDatabase } from './database.ts'

const LIMITS = { stanzaBytes: 1_000_000, depth: 64, attributes: 64, nameBytes: 256 }

export interface World {
  /** A client that is logged in and bound; its account is made when there is none. */
  client (jid: string): Promise<Client>
  readonly core: Core
}

/** A server with these extensions and an empty database; gone when the test is finished. */
export async function world (...extensions: readonly (Extension | readonly [Extension, unknown])[]): Promise<World> {
  const db = await testDatabase()
  const core = await createCore({
    hosts: ['localhost'], db, log: await openLog({ level: 'silent' }),
    extensions: extensions.map(one => 'name' in one
      ? { extension: one, options: one.config?.parse(undefined) }
      : { extension: one[0], options: one[1] }),
  })
  onTestFinished(async () => {
    await core.unload()
    await db.close()
  })
  const credentials = deriveCredentials('secret')
  return {
    core,
    async client (address) {
      const jid = Jid.parse(address)
      if (!await core.store.find(jid)) await core.store.create(jid.bare, await credentials)
      return new Client(core, jid, await core.accounts.open(jid, false))
    },
  }
}

export class Client {
  readonly session: Session
  readonly #core: Core
  readonly #received: string[] = []
  readonly #answers = new Map<string, (answer: Stanza) => void>()
  #nextId = 0
  /** Why the server ended the stream. */
  ended: StreamError | undefined

  constructor (core: Core, jid: Jid, account: Awaited<ReturnType<Core['accounts']['open']>>) {
    this.#core = core
    const stream: SessionStream = {
      remoteAddress: '127.0.0.1',
      write: stanza => { this.#take(stanza) },
      writeElement: element => { this.#received.push(element.toString()) },
      close: error => { this.ended = error },
    }
    this.session = core.accounts.bind(account, jid, stream)
    core.events.bound(this.session)
  }

  #take (stanza: Stanza): void {
    const answer = stanza.kind === 'iq' && stanza.id !== undefined ? this.#answers.get(stanza.id) : undefined
    if (answer && (stanza.type === 'result' || stanza.type === 'error')) answer(stanza)
    else this.#received.push(stanza.toXml())
  }

  /** Sends a stanza; resolves when the server has dealt with it. */
  async sends (xml: string): Promise<void> {
    const frame = parseFrame(Buffer.from(xml.replace(/^<([a-z]+)/, `<$1 xmlns='${NS_CLIENT}'`)), LIMITS)
    const to = frame.to === undefined ? undefined : Jid.parse(frame.to)
    const stanza = stanzaOf(frame, this.session.jid, to, frame.lang)
    if (!stanza) throw new Error(`<${frame.name}/> is no stanza`)
    await this.#core.router.send(stanza, this.session)
  }

  async says (to: string, body: string): Promise<void> {
    await this.sends(`<message to='${to}' type='chat'><body>${body}</body></message>`)
  }

  /** Sends initial presence and asks for the roster, as clients do. */
  async comesOnline (): Promise<void> {
    await this.asks('get', "<query xmlns='jabber:iq:roster'/>")
    await this.sends('<presence/>')
  }

  /** Sends a request and gives the payload of its result; rejects with the condition of its error. */
  async asks (type: 'get' | 'set', payload: string, to?: string): Promise<Element | undefined> {
    const id = `ask${this.#nextId++}`
    const answered = new Promise<Stanza>(resolve => { this.#answers.set(id, resolve) })
    await this.sends(`<iq type='${type}' id='${id}'${to === undefined ? '' : ` to='${to}'`}>${payload}</iq>`)
    const answer = await answered
    this.#answers.delete(id)
    if (answer.type === 'error') throw new Error(answer.payload('error', NS_CLIENT)?.getChildElements()[0]?.getName())
    const [child] = answer.children
    return child && answer.tree(child)
  }

  /** What came since the last look, answers to `asks` aside, once everything that is under way has arrived. */
  async received (): Promise<readonly string[]> {
    await new Promise(resolve => { setImmediate(resolve) })
    return this.#received.splice(0)
  }
}
