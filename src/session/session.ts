/**
 * A session: a bound resource (RFC 6120 §7). It outlives its stream while it waits for a resumption, and is the only
 * place that writes to a client.
 */
import type { StageTable } from '../extension/stages.ts'
import type { SessionView } from '../extension/views.ts'
import type { Element } from '../xml/element.ts'
import { StreamError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { delayedBy } from '../xmpp/forward.ts'
import type { Message, Presence, Stanza } from '../xmpp/stanza.ts'
import type { ArchiveKeys } from '../xmpp/archive-ids.ts'
import { NS_PUBSUB_EVENT } from '../xmpp/pubsub.ts'
import { numberBy } from '../xmpp/stanza-id.ts'
import type { Account } from './account.ts'
import { HeardNumbers } from './heard-numbers.ts'
import { InFlight } from './in-flight.ts'
import { pace } from './pace.ts'

/** The stream, as a session needs it. */
export interface SessionStream {
  readonly remoteAddress: string
  /** Bytes written and not yet read by the client. */
  readonly bufferedBytes: number
  /** Resolves when the client has read most of it, or never will; undefined where that is so now. */
  drained (): Promise<void> | undefined
  /** Counts bytes of a large answer as if they had been read from the client. */
  charge (bytes: number): void
  write (stanza: Stanza): void
  writeElement (element: Element): void
  close (error?: StreamError): void
}

/** XEP-0313 §4.2: what comes before the answer of an archive. */
const NS_ARCHIVE = 'urn:xmpp:mam:2'

/**
 * The share of an answer's bytes that counts: sending stored data costs a tenth of reading as much, and most answers
 * are small.
 */
const ANSWER_SHARE = 10
const FREE_ANSWER_BYTES = 10_000
/** The most requests that are tracked until their answer; most are answered at once. */
const MAX_ASKED = 100
/** No client has longer ids; of longer ones the length is compared. */
const MAX_ID = 256

/** The most rooms of which the messages sent are known; which rooms send to a session is for others to decide. */
const MAX_HEARD = 1000

/** More events are not under way to one session. */
const MAX_EVENTS = 1000

const NO_FLAGS: ReadonlySet<string> = new Set()

export class Session implements SessionView {
  readonly jid: Jid
  readonly account: Account
  /** The last presence sent to all, while available. */
  presence: Presence | undefined
  priority = 0
  /** What it is sent because it came online, while not all of it is sent. */
  greeting: Generator<void | Promise<void>> | undefined
  /** RFC 6121 §2.2: it asked for the roster, and is pushed its changes. */
  isInterested = false
  /** Its client has closed the stream properly, and is still written earlier stanzas (RFC 6120 §4.4). */
  isClosed = false
  /** Recipients of directed presence (RFC 6121 §4.6), by full or bare address. */
  directed: Map<string, Jid> | undefined
  /** For resumption at another node: the id and the number of stanzas taken from the client (XEP-0198). */
  smInbound: { readonly id: string, taken: number } | undefined
  /** What it was sent of each room. */
  heard: Map<string, HeardNumbers> | undefined
  /** Senders and ids of the last events (XEP-0060) that the owner before this node has sent it. */
  #heardEvents: Set<string> | undefined
  /** Requests that wait for an answer. */
  #asked: Set<string> | undefined
  #flags = NO_FLAGS
  #inFlight: InFlight | undefined
  #stream: SessionStream | undefined
  /** Stanzas behind those of `writeAgain`. */
  #behind: Stanza[] | undefined
  readonly #stages: StageTable

  constructor (jid: Jid, account: Account, stages: StageTable, stream?: SessionStream) {
    this.jid = jid
    this.account = account
    this.#stages = stages
    this.#stream = stream
  }

  get available (): boolean {
    return this.presence !== undefined
  }

  get isReachable (): boolean {
    return this.available && this.priority >= 0
  }

  get flags (): ReadonlySet<string> {
    return this.#flags
  }

  get inFlight (): InFlight {
    this.#inFlight ??= new InFlight(() => { this.#stages.read.handled(this) })
    return this.#inFlight
  }

  /** Continues with another stream; the previous one is over. */
  resume (stream: SessionStream): void {
    const before = this.#stream
    this.#stream = stream
    this.#behind = undefined
    before?.close(new StreamError('conflict', 'your session was resumed on another connection'))
  }

  /** Its stream is gone. */
  detach (): void {
    this.#stream = this.#behind = undefined
  }

  /** Undefined while the session waits for a resumption. */
  get stream (): SessionStream | undefined {
    return this.#stream
  }

  setFlag (name: string, isOn: boolean): void {
    const flags = new Set(this.#flags)
    if (isOn) flags.add(name)
    else flags.delete(name)
    this.#flags = flags
    this.account.touch()
  }

  /**
   * False for a room's message or an event that the session was sent before, after the room or the session has moved to
   * another node. A message of the room itself that is history (XEP-0045 §7.2.13) is no new one.
   */
  accept (message: Message, keys: ArchiveKeys): boolean {
    if (message.isRedelivery && this.#heardEvents?.has(eventKey(message))) return false
    const room = message.type === 'groupchat' ? message.from?.bare : undefined
    const number = room && numberBy(message, room, keys)
    if (!room || number === undefined) return true
    const key = room.toString()
    if (delayedBy(message).includes(key)) return true
    const heard = this.#heardOf(key)
    if (heard.has(number)) return !message.isRedelivery
    heard.add(number)
    return true
  }

  /** Records what the session was sent by its owner before this node. */
  noteHeard (message: Message, keys: ArchiveKeys): void {
    if (message.has('event', NS_PUBSUB_EVENT)) this.#noteEvent(message)
    else this.accept(message, keys)
  }

  #noteEvent (event: Message): void {
    this.#heardEvents ??= new Set()
    this.#heardEvents.add(eventKey(event))
    const [first] = this.#heardEvents
    if (this.#heardEvents.size > MAX_EVENTS && first !== undefined) this.#heardEvents.delete(first)
  }

  #heardOf (room: string): HeardNumbers {
    this.heard ??= new Map()
    const known = this.heard.get(room)
    if (known) return known
    const heard = new HeardNumbers()
    this.heard.set(room, heard)
    const [first] = this.heard.keys()
    if (this.heard.size > MAX_HEARD && first !== undefined) this.heard.delete(first)
    return heard
  }

  /** The client has sent a request of that id: the answer counts against its rate. */
  asks (id: string): void {
    this.#asked ??= new Set()
    this.#asked.add(keyOf(id))
    const [first] = this.#asked
    if (this.#asked.size > MAX_ASKED && first !== undefined) this.#asked.delete(first)
  }

  #chargeAnswer (stanza: Stanza, asked: Set<string>): void {
    if (stanza.kind === 'iq') {
      const isAnswer = (stanza.type === 'result' || stanza.type === 'error') && asked.delete(keyOf(stanza.id ?? ''))
      if (asked.size === 0) this.#asked = undefined
      if (isAnswer && stanza.inner.length > FREE_ANSWER_BYTES) this.#charge(stanza.inner.length - FREE_ANSWER_BYTES)
    } else if (stanza.has('result', NS_ARCHIVE)) {
      this.#charge(stanza.inner.length)
    }
  }

  #charge (bytes: number): void {
    this.#stream?.charge(Math.ceil(bytes / ANSWER_SHARE))
  }

  /** Writes a stanza to the client, unless a `hold` handler keeps it back. */
  deliver (stanza: Stanza): void {
    if (this.#stages.write.hold(stanza, this)) return
    this.#stages.write.track(stanza, this)
    if (this.#behind) this.#behind.push(stanza)
    else this.#stream?.write(stanza)
    if (this.#asked) this.#chargeAnswer(stanza, this.#asked)
  }

  /**
   * Writes earlier stanzas again, as fast as the client reads; stanzas delivered meanwhile follow. If the stream is
   * lost, the rest is not written: the caller still has it. Returns undefined where all are written.
   */
  writeAgain (stanzas: Iterable<Stanza>): void | Promise<void> {
    return pace(this, this.#writeFirst(stanzas, this.#behind = [], this.#stream))
  }

  * #writeFirst (
    first: Iterable<Stanza>,
    behind: readonly Stanza[],
    stream: SessionStream | undefined,
  ): Generator<void> {
    try {
      for (const stanzas of [first, behind]) { // the latter grows
        for (const stanza of stanzas) {
          if (!stream || this.#stream !== stream) return
          yield stream.write(stanza)
        }
      }
    } finally {
      if (this.#stream === stream) this.#behind = undefined
    }
  }

  /** Writes an element that is no stanza. */
  send (nonza: Element): void {
    this.#stream?.writeElement(nonza)
  }

  /**
   * Resolves when the client may be sent more of a burst: bursts of the server wait for it, so that no client is sent
   * more than it can read. Undefined: now.
   */
  drained (): Promise<void> | undefined {
    return this.#stream?.drained()
  }

  /** Ends the session's stream with the error; everything else follows from the close. */
  close (error: StreamError): void {
    this.#stream?.close(error)
  }
}

function keyOf (id: string): string {
  return id.length > MAX_ID ? `#${id.length}` : id
}

function eventKey ({ from, id = '' }: Message): string {
  return `${from} ${keyOf(id)}`
}
