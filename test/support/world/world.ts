/**
 * A whole server in the test's own process, without a socket: the core with some extensions on the test run's
 * database, and clients that are sessions. What a client sends goes through the same stages as on a stream.
 */
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { deriveCredentials } from '../../../src/accounts/credentials.ts'
import type { Credentials } from '../../../src/accounts/credentials.ts'
import type { Cluster } from '../../../src/cluster/cluster.ts'
import { createCore } from '../../../src/app/core.ts'
import type { Core } from '../../../src/app/core.ts'
import type { Components } from '../../../src/components/settings.ts'
import type { Extension } from '../../../src/extension/api.ts'
import { openLog } from '../../../src/log.ts'
import type { Session, SessionStream } from '../../../src/session/session.ts'
import { parseElement } from '../../../src/xml/element.ts'
import type { Element } from '../../../src/xml/element.ts'
import { DEFAULT_LIMITS } from '../../../src/muc/limits.ts'
import type { MucLimits } from '../../../src/muc/limits.ts'
import { DEFAULT_PUBSUB_LIMITS } from '../../../src/pubsub/limits.ts'
import type { PubsubLimits } from '../../../src/pubsub/limits.ts'
import { isLineEmpty } from '../../../src/util/slices.ts'
import { Turns } from '../../../src/util/turns.ts'
import { parseFrame } from '../../../src/xml/framer.ts'
import { StreamError } from '../../../src/xmpp/errors.ts'
import { Jid } from '../../../src/xmpp/jid.ts'
import { NS_CLIENT } from '../../../src/xmpp/ns.ts'
import type { Database } from '../../../src/storage/database.ts'
import type { PostgresDatabase } from '../../../src/storage/postgres.ts'
import { stanzaOf } from '../../../src/xmpp/read-stanza.ts'
import type { Stanza } from '../../../src/xmpp/stanza.ts'
import { brief } from './brief.ts'
import { testDatabase } from '../run/database.ts'
import { hasNoTimer } from './timers.ts'

const NEVER = (): Promise<never> => new Promise(() => {})
const AWAY = (): Promise<never> => Promise.reject(new Error('connect ECONNREFUSED'))
const LIMITS = { stanzaBytes: 1_000_000, depth: 64, attributes: 64, nameBytes: 256, elements: 100_000 }

export interface World {
  /** A client that is logged in and bound; its account is made when there is none. */
  client (jid: string): Promise<Client>
  /** A client that comes back to a session which another node, or this one, has kept for it. */
  returns (jid: string, request: string): Promise<Client>
  /** A client of an anonymous account. */
  guest (jid: string): Promise<Client>
  /** The server ends in its own way, and another one starts on the same database. */
  restarts (limits?: Partial<MucLimits>): Promise<World>
  /** Resolves when nothing is under way any more: turns, slices, queries, and timers that are due soon. */
  idle (): Promise<void>
  /** Nothing comes of what it does from now on: its database does not answer it any more. */
  freezes (): void
  /** While it is away, whatever is asked of the database fails. */
  databaseIs (state: 'there' | 'away'): void
  readonly core: Core
  readonly db: Database
}

export type Extensions = readonly (Extension | readonly [Extension, unknown])[]

let postgres: PostgresDatabase
let credentials: Credentials
let queries = 0

beforeAll(async () => {
  postgres = await testDatabase()
  credentials = await deriveCredentials('secret')
})
afterAll(() => postgres.close())

/** The database that all of a test file's servers have. */
export function database (): Database {
  return postgres
}

/** A server with these extensions and an empty database; gone when the test is finished. One at a time in a file. */
export function world (...extensions: Extensions): Promise<World> {
  return worldWith({}, ...extensions)
}

/** The same with other limits for rooms than there are by default. */
export async function worldWith (limits: Partial<MucLimits>, ...extensions: Extensions): Promise<World> {
  await empty()
  return start(extensions, undefined, limits)
}

/** The same with other limits for nodes. */
export async function worldWithNodes (pubsub: Partial<PubsubLimits>, ...extensions: Extensions): Promise<World> {
  await empty()
  return start(extensions, undefined, {}, undefined, pubsub)
}

/** The same with components that may do something in the name of accounts (XEP-0356). */
export async function worldOf (components: Components, ...extensions: Extensions): Promise<World> {
  await empty()
  return start(extensions, undefined, {}, components)
}

async function empty (): Promise<void> {
  await postgres.query('delete from room')
  await postgres.query('delete from account')
  await postgres.query('delete from former_account')
  await postgres.query('delete from pubsub_node')
  await postgres.query('delete from caps')
}

/** A server on the database as it is, which ends with the test. */
export async function start (
  extensions: Extensions,
  cluster?: Cluster,
  limits: Partial<MucLimits> = {},
  components?: Components,
  pubsub: Partial<PubsubLimits> = {},
): Promise<World> {
  let isUp = true
  let isAway = false
  const db = counted(postgres, () => isUp ? isAway ? AWAY : undefined : NEVER)
  const core = await coreOf(db, extensions, cluster, limits, components, pubsub)
  if (!cluster) await core.rooms.removeTemporary()
  const stop = async (): Promise<void> => {
    if (!isUp) return
    await idle()
    await core.unload()
    isUp = false
  }
  onTestFinished(stop)
  return {
    core,
    db: postgres,
    idle,
    freezes () { isUp = false },
    databaseIs (state) { isAway = state === 'away' },
    async restarts (others = limits) {
      await stop()
      return start(extensions, undefined, others, components, pubsub)
    },
    async client (address) {
      const jid = Jid.parse(address)
      if (!await core.store.find(jid)) await core.store.create(jid.bare, credentials)
      return enters(core, jid, false)
    },
    guest: address => enters(core, Jid.parse(address), true),
    returns: (address, request) => resumes(core, Jid.parse(address), request),
  }
}

async function enters (core: Core, jid: Jid, isAnonymous: boolean): Promise<Client> {
  const account = await core.accounts.open(jid, isAnonymous)
  const client = new Client(core, stream => core.accounts.bind(account, jid, stream))
  core.events.emit('session.bound', client.session)
  return client
}

async function resumes (core: Core, jid: Jid, request: string): Promise<Client> {
  await core.accounts.open(jid, false)
  const resumption = await core.streams.resume(parse(request), jid)
  const { session, resumed, reply } = resumption ?? {}
  if (!session) throw new Error(`the session does not go on: ${reply}`)
  const client = new Client(core, stream => {
    core.events.emit('session.resuming', session)
    session.resume(stream)
    return session
  })
  resumed?.()
  return client
}

async function coreOf (
  db: Database, extensions: Extensions, cluster: Cluster | undefined, limits: Partial<MucLimits>,
  components: Components | undefined, pubsub: Partial<PubsubLimits>,
): Promise<Core> {
  return createCore({
    hosts: ['localhost'], db, log: await openLog({ level: 'silent' }), cluster, muc: { ...DEFAULT_LIMITS, ...limits },
    components, pubsub: { ...DEFAULT_PUBSUB_LIMITS, ...pubsub },
    extensions: extensions.map(one => 'name' in one
      ? { extension: one, options: one.config?.parse(undefined) }
      : { extension: one[0], options: one[1] }),
  })
}

/** The database, with an eye on what is under way in it. */
function counted (db: Database, instead: () => (() => Promise<never>) | undefined): Database {
  async function count<T> (work: Promise<T>): Promise<T> {
    queries++
    try {
      return await work
    } finally {
      queries--
    }
  }
  return {
    query: (text, values) => instead()?.() ?? count(db.query(text, values)),
    transaction: work => instead()?.() ?? count(db.transaction(work)),
  }
}

/** What waits, waits for the database, for a timer, for the next slice, or has its turn in this very tick. */
async function idle (): Promise<void> {
  for (let quiet = 0; quiet < 2; quiet = queries === 0 && isLineEmpty() && hasNoTimer() ? quiet + 1 : 0) {
    await new Promise(resolve => { setImmediate(resolve) })
  }
}

export class Client {
  readonly session: Session
  #stream: SessionStream | undefined
  readonly #core: Core
  readonly #received: (Stanza | Element)[] = []
  readonly #answers = new Map<string, (answer: Stanza) => void>()
  #nextId = 0
  readonly #turns = new Turns()
  #busy: PromiseWithResolvers<void> | undefined
  /** Bytes that count as read from it, for the answers to what it asked. */
  charged = 0
  /** Why the server ended the stream. */
  ended: StreamError | undefined

  constructor (core: Core, enter: (stream: SessionStream) => Session) {
    this.#core = core
    const stream = this.#stream = this.#connect()
    this.session = enter(stream)
  }

  #connect (): SessionStream {
    const stream: SessionStream = {
      remoteAddress: '127.0.0.1',
      bufferedBytes: 0,
      charge: bytes => { this.charged += bytes },
      drained: () => this.#busy?.promise,
      write: stanza => { if (this.#stream === stream) this.#take(stanza) },
      writeElement: element => { if (this.#stream === stream) this.#received.push(element) },
      close: error => {
        this.ended = error
        this.#lose(stream, false)
      },
    }
    return stream
  }

  #lose (stream: SessionStream, mayResume: boolean): void {
    if (this.#stream === stream) this.#stream = undefined
    this.#core.lost(this.session, stream, mayResume)
  }

  #take (stanza: Stanza): void {
    const answer = stanza.kind === 'iq' && stanza.id !== undefined ? this.#answers.get(stanza.id) : undefined
    if (answer && (stanza.type === 'result' || stanza.type === 'error')) answer(stanza)
    else this.#received.push(stanza)
  }

  /** It has enough to read until what is returned is called. */
  hasEnough (): () => void {
    const busy = this.#busy = Promise.withResolvers<void>()
    return () => {
      this.#busy = undefined
      busy.resolve()
    }
  }

  /** It closes its stream in good order. */
  closes (): void {
    this.session.isClosed = true
    this.leaves(false)
  }

  /** Its stream is gone, without a word. */
  leaves (mayResume = true): void {
    if (this.#stream) this.#lose(this.#stream, mayResume)
  }

  /** Asks to go on with its session on a new stream (XEP-0198 §5), and gives the answer. */
  async resumes (request: string): Promise<string | undefined> {
    const resumption = await this.#core.streams.resume(parse(request), this.session.account.jid)
    if (resumption?.session === this.session) {
      this.#stream = this.#connect()
      this.#core.events.emit('session.resuming', this.session)
      this.session.resume(this.#stream)
      resumption.resumed?.()
    }
    return resumption?.reply.toString()
  }

  /** Sends an element that is no stanza; resolves when the server has taken it. */
  async sendsNonza (xml: string): Promise<void> {
    const element = parse(xml)
    try {
      await this.#core.streams.nonza(element.getName(), element.getNS() ?? '')?.(element, this.session)
    } catch (error) {
      if (!(error instanceof StreamError)) throw error
      this.#stream?.close(error)
    }
  }

  /** Sends a stanza; resolves when the server has dealt with it. */
  async sends (xml: string): Promise<void> {
    const frame = parseFrame(Buffer.from(xml.replace(/^<([a-z]+)/, `<$1 xmlns='${NS_CLIENT}'`)), LIMITS)
    const to = frame.to === undefined ? undefined : Jid.parse(frame.to)
    const stanza = stanzaOf(frame, this.session.jid, to, frame.lang)
    if (!stanza) throw new Error(`<${frame.name}/> is no stanza`)
    let done: void | Promise<void> = undefined
    // As a stream takes it: one after the other, and not before what it needs is loaded.
    await this.#turns.inTurn('stanza', () => {
      const take = (): void => {
        done = this.#core.router.send(stanza, this.session)
        this.session.inFlight.track(stanza.kind === 'iq' ? undefined : done)
      }
      const loading = this.#core.router.prepare(stanza)
      return loading ? loading.then(take) : take()
    })
    await done
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
    await idle()
    return this.#received.splice(0).map(part => 'kind' in part ? part.toXml() : part.toString())
  }

  /** The same, each stanza in a few words. */
  async receivedInBrief (): Promise<readonly string[]> {
    await idle()
    return this.#received.splice(0).map(part => 'kind' in part ? brief(part) : part.toString())
  }
}

function parse (xml: string): Element {
  return parseElement(parseFrame(Buffer.from(xml), LIMITS))
}
