/**
 * Somebody who uses the server: comes, does this and that for a while, goes in one way or another, comes again. What is
 * done is drawn by lot; everything that lasts has one of few names, so that in the end there is as much as before.
 */
import { setTimeout } from 'node:timers/promises'
import { Line } from '../../test/faults/line.ts'
import type { XmlElement } from '../runner/xml.ts'
import { deeds } from './deeds.ts'

export interface Pace {
  /** Between two things that one person does, on average. */
  readonly restMs: number
}

/** What people did, and what they were answered. */
export interface Tally {
  done: number
  logins: number
  resumed: number
  results: number
  /** Requests that were not answered in a minute, though the stream went on. */
  unanswered: number
  readonly errors: Map<string, number>
}

const PATIENCE_MS = 60_000

export class Person {
  readonly number: number
  readonly #ports: readonly number[]
  readonly #pace: Pace
  readonly #tally: Tally
  readonly #crowd: number
  #line: Line | undefined
  #isOver = false
  readonly #over = Promise.withResolvers<void>()
  readonly #answers = new Map<string, () => void>()
  #nextId = 0
  /** Resolves when there is a line on which something can be asked. */
  #isOpen: Promise<void> = Promise.resolve()

  constructor (number: number, crowd: number, ports: readonly number[], pace: Pace, tally: Tally) {
    this.number = number
    this.#crowd = crowd
    this.#ports = ports
    this.#pace = pace
    this.#tally = tally
  }

  get jid (): string {
    return jidOf(this.number)
  }

  /** Somebody, maybe oneself. */
  anyone (): string {
    return jidOf(Math.floor(Math.random() * this.#crowd))
  }

  /** Those who may become contacts: few, so that all of them can be removed again. */
  neighbours (): readonly string[] {
    return [-2, -1, 1, 2].map(step => jidOf((this.number + step + this.#crowd) % this.#crowd))
  }

  get ports (): readonly number[] {
    return this.#ports
  }

  send (xml: string): void {
    this.#line?.send(xml)
  }

  /** Sends a request; resolves when it is answered, or the line is gone. */
  async ask (type: 'get' | 'set', payload: string, to?: string): Promise<void> {
    await this.#isOpen
    const id = `q${this.#nextId++}`
    const answered = new Promise<void>(resolve => { this.#answers.set(id, resolve) })
    const timer = globalThis.setTimeout(() => {
      this.#tally.unanswered++
      this.#answers.get(id)?.()
    }, PATIENCE_MS)
    this.send(`<iq type='${type}' id='${id}'${to === undefined ? '' : ` to='${to}'`}>${payload}</iq>`)
    await answered
    clearTimeout(timer)
  }

  /** Resolves when `end` was called and it has gone in good order. */
  async live (): Promise<void> {
    await this.#rest(3)
    while (!this.#isOver) {
      await this.#comeAndGo()
      if (!this.#isOver) await this.#rest(4)
    }
  }

  end (): void {
    this.#isOver = true
    this.#over.resolve()
  }

  /** Comes once more, takes what is waiting, throws away what others would not have, and goes in good order. */
  async tidyUp (): Promise<void> {
    await this.#visit(async () => {
      await this.ask('get', "<query xmlns='jabber:iq:roster'/>")
      this.send('<presence/>')
      await deeds.tidyUp(this)
      await this.ask('get', "<ping xmlns='urn:xmpp:ping'/>", 'localhost')
    }, 'close')
  }

  async #comeAndGo (): Promise<void> {
    const deedsToDo = 3 + Math.floor(Math.random() * 20)
    const ways = ['close', 'close', 'cut', 'cut'] as const
    await this.#visit(async line => {
      await this.ask('get', "<query xmlns='jabber:iq:roster'/>")
      await this.ask('set', "<enable xmlns='urn:xmpp:carbons:2'/>")
      this.send('<presence/>')
      for (let done = 0; done < deedsToDo && !this.#isOver; done++) {
        await deeds.any(this)
        this.#tally.done++
        await this.#rest(1)
        if (Math.random() < 0.05) line.drop() // comes back with the same session
      }
    }, ways[Math.floor(Math.random() * ways.length)] ?? 'close')
  }

  /** Comes, does that, and goes: closes the stream, or is cut off and does not come back. */
  async #visit (task: (line: Line) => Promise<void>, way: 'close' | 'cut'): Promise<void> {
    const port = this.#ports[Math.floor(Math.random() * this.#ports.length)] ?? 0
    const line = this.#line = new Line({ jid: this.jid, port }, `r${Math.floor(Math.random() * 3)}`)
    if (!await line.open()) return
    this.#tally.logins++
    const listening = this.#listen(line)
    await task(line)
    if (way === 'close' || this.#isOver) await line.close().catch(() => {}) // it was lost a moment ago
    else line.hangUp()
    this.#line = undefined
    await listening
    this.#tally.resumed += line.resumed
  }

  /** Resolves when the line has been hung up. */
  async #listen (line: Line): Promise<void> {
    for (;;) {
      try {
        this.#hear(await line.receive())
      } catch (error) {
        if (this.#line !== line) break
        if (String(error).includes('nothing came')) continue
        this.#forget()
        const reopened = Promise.withResolvers<void>()
        this.#isOpen = reopened.promise
        const opened = await line.open()
        reopened.resolve()
        if (!opened) break
        if (opened.isNew) line.send('<presence/>')
      }
    }
    this.#forget()
  }

  /** Nobody answers what was asked on a line that is gone. */
  #forget (): void {
    for (const resolve of this.#answers.values()) resolve()
    this.#answers.clear()
  }

  #hear ({ name, attributes, children }: XmlElement): void {
    const [id = '', type] = [attributes.get('id'), attributes.get('type')]
    if (type === 'error') {
      const condition = children.find(child => child.name === 'error')?.children[0]?.name ?? 'unknown'
      this.#tally.errors.set(condition, (this.#tally.errors.get(condition) ?? 0) + 1)
    }
    if (name !== 'iq') return
    if (type === 'set' || type === 'get') return this.send(`<iq type='result' id='${id}'/>`)
    this.#tally.results++
    this.#answers.get(id)?.()
    this.#answers.delete(id)
  }

  /** For so many of the pace's rests, give or take; no longer than there is anything to do. */
  async #rest (rests: number): Promise<void> {
    const waiting = new AbortController()
    const ms = this.#pace.restMs * rests * 2 * Math.random()
    await Promise.race([setTimeout(ms, undefined, { signal: waiting.signal }).catch(() => {}), this.#over.promise])
    waiting.abort()
  }
}

export function localOf (number: number): string {
  return `person${number}`
}

export function jidOf (number: number): string {
  return `${localOf(number)}@localhost`
}
