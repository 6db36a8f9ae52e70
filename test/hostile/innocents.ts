/** Two sessions that do nothing wrong, logged in before the attack: what they say to each other must still arrive. */
import { Peer } from './peer.ts'
import type { Target } from './server.ts'

const HERE = '127.0.0.1'
const MESSAGES = 20

export class Innocents {
  readonly #romeo: Peer
  readonly #juliet: Peer
  #said = 0

  private constructor (romeo: Peer, juliet: Peer) {
    this.#romeo = romeo
    this.#juliet = juliet
  }

  static async logIn ({ port }: Pick<Target, 'port'>): Promise<Innocents> {
    const romeo = await Peer.logIn({ port, from: HERE }, 'romeo/orchard')
    const juliet = await Peer.logIn({ port, from: HERE }, 'juliet/balcony')
    return new Innocents(romeo, juliet)
  }

  /** Both ways; the numbers by which each message was heard, in the order in which they were. */
  async talk (): Promise<readonly number[]> {
    const first = this.#said
    this.#said += MESSAGES
    for (let number = first; number < this.#said; number++) {
      void this.#romeo.send(message('juliet@localhost/balcony', number))
      void this.#juliet.send(message('romeo@localhost/orchard', number))
    }
    const heard: number[] = []
    for (const peer of [this.#romeo, this.#juliet]) {
      for (let count = 0; count < MESSAGES; count++)
        heard.push(numberOf((await peer.expect('message')).children[0]?.text) - first)
    }
    return heard
  }
}

/** What `talk` gives when nothing is missing, doubled or out of order. */
export const EVERYTHING: readonly number[] = [...Array(MESSAGES).keys(), ...Array(MESSAGES).keys()]

function message (to: string, number: number): string {
  return `<message type='chat' to='${to}'><body>${number}</body></message>`
}

function numberOf (text: string | undefined): number {
  return text === undefined ? NaN : Number(text)
}
