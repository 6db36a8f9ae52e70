/**
 * A client that talks to one other, or in a room: writes numbered messages of 460 bytes and checks that the others'
 * arrive once each and in order (RFC 6120 §10.1). Where its stream is managed (XEP-0198) it asks for an ack with each
 * write.
 */
import { randomBytes } from 'node:crypto'
import type { Client } from '../client.ts'

export const STANZA_BYTES = 460
const DIGITS = 9
/** What each sender in a room may count to: its messages' numbers begin at so many times its own. */
const SHARE = 10_000_000
const TAG = '#'
const NUMBER = `${TAG}${'0'.repeat(DIGITS)}`
/** Ids are used once: a server may know those of the last round. */
const ROUND = randomBytes(2).toString('hex')
const BODY = Buffer.from('<body>#')
const END = Buffer.from('</message>')
const REQUEST = Buffer.from("<r xmlns='urn:xmpp:sm:3'/>")
const LETTER_A = 97
const LETTER_M = 109
const LETTER_R = 114
const ZERO = 48
const WORDS = 'Wilt thou leave me so unsatisfied? What satisfaction can&apos;st thou have to-night \u2014 soft, '

export class Talker {
  /** Told how many messages a chunk has brought, and the number of the first. */
  onDelivery: (count: number, first: number) => void = () => {}
  /** Told how many of its messages the server has newly acknowledged, and the number of the first. */
  onAck: (count: number, first: number) => void = () => {}
  /** Told of each message in a room whose it is, and which of his. */
  onMessage: ((sender: number, number: number) => void) | undefined
  sent = 0
  acknowledged = 0
  received = 0
  misplaced = 0
  /** The same for all who have heard the same in the same order. */
  digest = 0
  /** How many came from each sender. */
  readonly heard: number[] = []
  readonly client: Client
  readonly isManaged: boolean
  readonly #template: Buffer
  readonly #places: readonly number[]
  readonly #first: number
  #rest: Buffer | undefined

  /** `sender` is its number among those who talk in a room. */
  constructor (client: Client, name: string, to: string, isManaged = false, sender?: number) {
    this.client = client
    this.isManaged = isManaged
    this.#template = template(name, to, sender === undefined ? 'chat' : 'groupchat')
    this.#first = (sender ?? 0) * SHARE
    this.#places = [this.#template.indexOf(TAG), this.#template.lastIndexOf(TAG)].map(at => at + 1)
    client.onBytes = bytes => this.#take(bytes)
  }

  /** Writes the next `count` messages at once. */
  send (count: number): void {
    const length = count * STANZA_BYTES
    const bytes = Buffer.allocUnsafe(length + (this.isManaged ? REQUEST.length : 0))
    if (this.isManaged) REQUEST.copy(bytes, length)
    for (let at = 0; at < length; at += STANZA_BYTES) {
      this.#template.copy(bytes, at)
      for (const place of this.#places) writeNumber(bytes, at + place, this.#first + this.sent)
      this.sent++
    }
    this.client.write(bytes)
  }

  #take (chunk: Buffer): void {
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk
    const first = this.received
    let start = 0
    for (let end = this.#takeOne(bytes, 0); end !== -1; end = this.#takeOne(bytes, start)) start = end
    this.#rest = start < bytes.length ? Buffer.from(bytes.subarray(start)) : undefined
    if (this.received > first) this.onDelivery(this.received - first, first)
  }

  /** Takes a message, or a tag of something else, and gives where it ends; −1 when it is not whole. */
  #takeOne (bytes: Buffer, from: number): number {
    const at = bytes.indexOf('<', from)
    const isMessage = bytes[at + 1] === LETTER_M
    const end = at === -1 ? -1 : isMessage ? bytes.indexOf(END, at) : bytes.indexOf('>', at)
    if (end === -1) return -1
    if (isMessage) {
      this.#check(bytes, bytes.indexOf(BODY, at), end)
      return end + END.length
    }
    if (this.isManaged) this.#count(bytes, at, end)
    return end + 1
  }

  // XEP-0198 §4: what the server asks for, or answers.
  #count (bytes: Buffer, at: number, end: number): void {
    if (bytes[at + 1] === LETTER_R) this.client.write(`<a xmlns='urn:xmpp:sm:3' h='${this.received}'/>`)
    if (bytes[at + 1] !== LETTER_A) return
    const first = this.acknowledged
    this.acknowledged = Number(/ h=['"](\d+)/.exec(bytes.toString('latin1', at, end))?.[1])
    if (this.acknowledged > first) this.onAck(this.acknowledged - first, first)
  }

  #check (bytes: Buffer, body: number, end: number): void {
    const number = body !== -1 && body < end ? readNumber(bytes, body + BODY.length) : -1
    const sender = Math.floor(number / SHARE)
    const heard = this.heard[sender] ?? 0
    if (number % SHARE !== heard) this.misplaced++
    this.heard[sender] = heard + 1
    this.digest = Math.imul(this.digest, 31) + number | 0
    this.received++
    this.onMessage?.(sender, number % SHARE)
  }
}

function template (name: string, to: string, type: 'chat' | 'groupchat'): Buffer {
  const opening = `<message to='${to}' type='${type}' id='${name}-bench-${ROUND}${NUMBER}'><body>${NUMBER} `
  const closing = "</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>"
  const length = STANZA_BYTES - Buffer.byteLength(opening) - closing.length
  const words = WORDS.repeat(3)
  let text = words
  while (Buffer.byteLength(text) > length) text = text.slice(0, -1)
  const whole = text.replace(/&[^;]*$/, '')
  return Buffer.from(opening + whole + '.'.repeat(length - Buffer.byteLength(whole)) + closing)
}

function writeNumber (bytes: Buffer, at: number, number: number): void {
  let rest = number
  for (let place = at + DIGITS - 1; place >= at; place--) {
    bytes[place] = ZERO + rest % 10
    rest = Math.floor(rest / 10)
  }
}

function readNumber (bytes: Buffer, at: number): number {
  let number = 0
  for (let place = at; place < at + DIGITS; place++) number = number * 10 + (bytes[place] ?? 0) - ZERO
  return number
}
