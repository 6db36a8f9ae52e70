/** XEP-0045 §7.2.13 and §7.2.14: what was said lately, and how much of that somebody who comes in asks for. */
import type { Said } from '../../extension/facets/rooms.ts'
import type { Element } from '../../xml/element.ts'
import { delay } from '../../xmpp/forward.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Message } from '../../xmpp/stanza.ts'

/** How much somebody wants at most; what is absent is no limit. */
export interface HistoryLimits {
  readonly characters?: number | undefined
  readonly messages?: number | undefined
  /** In milliseconds since 1970. */
  readonly since?: number | undefined
}

/** What a room shows of the past at most, however many messages that is: it is in memory as long as the room. */
const MAX_BYTES = 1024 * 1024

export class History {
  #said: readonly Said[] = []

  get said (): readonly Said[] {
    return this.#said
  }

  /** Keeps a message, and of the older ones as many as there may be. */
  add (message: Message, at: number, room: Jid, most: number): void {
    if (most === 0) return
    const said = { message: message.withPayload(delay(at, room.toString())), at }
    this.#said = last([...this.#said, said], most)
  }

  /** Forgets the messages with these numbers in the room's archive. */
  forget (numbers: readonly string[]): void {
    this.#said = this.#said.filter(({ message: { archiveNumber } }) =>
      archiveNumber === undefined || !numbers.includes(archiveNumber))
  }

  /**
   * Other messages in place of those that are there: what was taken back, or what was there before the room was loaded.
   */
  replace (said: readonly Said[]): void {
    this.#said = last(said)
  }
}

/** The last of the messages, as many as there may be. */
function last (said: readonly Said[], most = Infinity): readonly Said[] {
  let first = said.length
  for (let left = MAX_BYTES; first > 0 && said.length - first < most; first--) {
    left -= said[first - 1]?.message.weight ?? 0
    if (left < 0) break
  }
  return first === 0 ? said : said.slice(first)
}

/** Whether somebody says nothing of how much he wants. */
export function isUnlimited ({ characters, messages, since }: HistoryLimits): boolean {
  return characters === undefined && messages === undefined && since === undefined
}

/** What `<history/>` asks for (§7.2.14); what makes no sense in it is no limit. */
export function readLimits (history: Element | undefined, now: number): HistoryLimits {
  if (!history) return {}
  const { maxchars, maxstanzas, seconds, since } = history.attrs
  const ago = numberIn(seconds)
  const asked = [ago === undefined ? NaN : now - ago * 1000, Date.parse(since ?? '')].filter(at => !Number.isNaN(at))
  return {
    characters: numberIn(maxchars),
    messages: numberIn(maxstanzas),
    since: asked.length > 0 ? asked.reduce((last, time) => Math.max(last, time)) : undefined,
  }
}

function numberIn (text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** The last messages that keep to all of the limits, in order; each whole or not at all. */
export function chooseHistory (
  said: readonly Said[],
  { characters = Infinity, messages = Infinity, since = -Infinity }: HistoryLimits,
): readonly Said[] {
  let first = said.length
  for (let left = characters; first > 0 && said.length - first < messages; first--) {
    const one = said[first - 1]
    if (!one || one.at < since) break
    left -= one.message.toXml().length
    if (left < 0) break
  }
  return said.slice(first)
}
