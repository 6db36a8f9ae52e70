/**
 * A whole server in the test's own process, without a socket: the core with some extensions on the test run's
 * database, and clients that are sessions. What a client sends goes through the same stages as on a stream.
 */
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { deriveCredentials } from '../accounts/credentials.ts'
import type { Credentials } from '../accounts/credentials.ts'
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
import type { Database } from '../storage/database.ts'
import type { PostgresDatabase } from '../storage/postgres.ts'
import { stanzaOf } from '../xmpp/stanza.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { brief } from './brief.ts'
import { testDatabase } from './database.ts'

const LIMITS = { stanzaBytes: 1_000_000, depth: 64, attributes: 64, nameBytes: 256 }

export interface World {
  /** A client that is logged in and bound; its account is made when there is none. */
  client (jid: string): Promise<Client>
  /** A client of an anonymous account. */
  guest (jid: string): Promise<Client>
  readonly core: Core
  readonly db: Database
}

let postgres: PostgresDatabase
let credentials: Credentials
let queries = 0

beforeAll(async () => {
  postgres = await testDatabase()
  credentials = await deriveCredentials('secret')
})
afterAll(() => postgres.close())

/** A server with these extensions and an empty database; gone when the test is finished. One at a time in a file. */
export async function world (...extensions: readonly (Extension | readonly [Extension, unknown])[]): Promise<World> {
  await postgres.query('delete from account')
  const db = counted(postgres)
  const core = await createCore({
    hosts: ['localhost'], db, log: await openLog({ level: 'silent' }),
    extensions: extensions.map(one => 'name' in one
      ? { extension: one, options: one.config?.parse(undefined) }
      : { extension: one[0], options: one[1] }),
  })
  onTestFinished(async () => {
    await settled()
    await core.unload()
  })
  return {
    core,
    db: postgres,
    async client (address) {
      const jid = Jid.parse(address)
      if (!await core.store.find(jid)) await core.store.create(jid.bare, credentials)
      return new Client(core, jid, await core.accounts.open(jid, false))
    },
    async guest (address) {
      const jid = Jid.parse(address)
      return new Client(core, jid, await core.accounts.open(jid, true))
    },
  }
}

/** The database, with an eye on what is under way in it. */
function counted (db: Database): Database {
  async function count<T> (work: Promise<T>): Promise<T> {
    queries++
    try {
      return await work
    } finally {
      queries--
    }
  }
  return {
    query: (text, values) => count(db.query(text, values)),
    transaction: work => count(db.transaction(work)),
  }
}

/** When nothing is under way any more: what waits, waits for the database or has its turn in this very tick. */
async function settled (): Promise<void> {
  for (let quiet = 0; quiet < 2; quiet = queries === 0 ? quiet + 1 : 0) {
    await new Promise(resolve => { setImmediate(resolve) })
  }
}

export class Client {
  readonly session: Session
  readonly #stream: SessionStream
  readonly #core: Core
  readonly #received: Stanza[] = []
  #isConnected = true
  readonly #answers = new Map<string, (answer: Stanza) => void>()
  #nextId = 0
  /** Why the server ended the stream. */
  ended: StreamError | undefined

  constructor (core: Core, jid: Jid, account: Awaited<ReturnType<Core['accounts']['open']>>) {
    this.#core = core
    const stream: SessionStream = {
      remoteAddress: '127.0.0.1',
      write: stanza => { this.#take(stanza) },
      writeElement: () => {},
      close: error => {
        this.ended = error
        this.leaves(false)
      },
    }
    this.#stream = stream
    this.session = core.accounts.bind(account, jid, stream)
    core.events.bound(this.session)
  }

  #take (stanza: Stanza): void {
    if (!this.#isConnected) return
    const answer = stanza.kind === 'iq' && stanza.id !== undefined ? this.#answers.get(stanza.id) : undefined
    if (answer && (stanza.type === 'result' || stanza.type === 'error')) answer(stanza)
    else this.#received.push(stanza)
  }

  /** Its stream is gone, without a word. */
  leaves (mayResume = true): void {
    this.#isConnected = false
    this.#core.lost(this.session, this.#stream, mayResume)
  }

  /** Sends a stanza; resolves when the server has dealt with it. */
  async sends (xml: string): Promise<void> {
    const frame = parseFrame(Buffer.from(xml.replace(/^<([a-z]+)/, `<$1 xmlns='${NS_CLIENT}'`)), LIMITS)
    const to = frame.to === undefined ? undefined : Jid.parse(frame.to)
    const stanza = stanzaOf(frame, this.session.jid, to, frame.lang)
    if (!stanza) throw new Error(`<${frame.name}/> is no stanza`)
    await this.#core.router.prepare(stanza)
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
    await settled()
    return this.#received.splice(0).map(stanza => stanza.toXml())
  }

  /** The same, each stanza in a few words. */
  async receivedInBrief (): Promise<readonly string[]> {
    await settled()
    return this.#received.splice(0).map(brief)
  }
}
