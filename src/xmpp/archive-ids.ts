/**
 * The public ids of an archive (unpredictable: XEP-0359 §4; never reused: XEP-0313 §6.2). Internally a message has a
 * number, without gaps; its id is the number encrypted with the archive's own key. So no index of ids is stored, and an
 * id of another archive, or of a former account of the same name, decodes to nothing.
 *
 * The cipher is Speck64/128 (Beaulieu et al., https://eprint.iacr.org/2013/404), whose block is two words of 32 bits:
 * it is fast enough for two ids per message. The secret it protects is only which id comes next.
 */
import { createHmac, randomBytes } from 'node:crypto'

const ROUNDS = 27

/** The significant bits of a number's upper word; the others are zero, or the id is not of this archive. */
const HIGH_BITS = 21

/**
 * Base 32 (RFC 4648 §6) in lower case. The first of the 13 characters stands for four bits and is always a letter,
 * which distinguishes ids from numbers.
 */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const PAIRS: readonly string[] =
  Array.from({ length: 1024 }, (_, n) => ALPHABET.charAt(n >> 5) + ALPHABET.charAt(n & 31))
const ID = /^[a-p][a-z2-7]{12}$/
const NUMBER = /^[1-9]\d{0,14}$/

export class ArchiveIds {
  readonly #key: () => Buffer
  readonly #hadNumbers: boolean
  #schedule: Int32Array | undefined
  readonly #block = new Int32Array(2)

  /**
   * `key` returns 16 bytes and is called at the first use. `hadNumbers`: clients may have seen plain numbers as ids.
   */
  constructor (key: () => Buffer, hadNumbers = false) {
    this.#key = key
    this.#hadNumbers = hadNumbers
  }

  /** The id of the message with that number. */
  encode (number: number): string {
    const block = this.#block
    block[0] = Math.floor(number / 2 ** 32)
    block[1] = number | 0
    encrypt(block, this.#schedule ??= expand(this.#key()))
    const high = block[0] ?? 0
    const low = block[1] ?? 0
    return ALPHABET.charAt(high >>> 28) + PAIRS[high >>> 18 & 1023] + PAIRS[high >>> 8 & 1023] +
      PAIRS[(high << 2 | low >>> 30) & 1023] + PAIRS[low >>> 20 & 1023] + PAIRS[low >>> 10 & 1023] + PAIRS[low & 1023]
  }

  /** The number of the message with that id; undefined for an id that is not of this archive. */
  decode (id: string): number | undefined {
    if (!ID.test(id)) return this.#hadNumbers && NUMBER.test(id) ? Number(id) : undefined
    const block = this.#block
    block[0] = block[1] = 0
    for (let n = 0; n < id.length; n++) {
      block[0] = (block[0] ?? 0) << 5 | (block[1] ?? 0) >>> 27
      block[1] = (block[1] ?? 0) << 5 | ALPHABET.indexOf(id.charAt(n))
    }
    decrypt(block, this.#schedule ??= expand(this.#key()))
    const high = block[0] ?? 0
    const low = block[1] ?? 0
    return high >>> HIGH_BITS === 0 ? high * 2 ** 32 + (low >>> 0) : undefined
  }
}

/** The ids of accounts without an archive, which nobody sees. */
export const NO_ARCHIVE = new ArchiveIds(() => randomBytes(16))

/** Distinguishes an account from former ones of its name. */
export interface Life {
  /** Microseconds since 1970. */
  readonly madeAt: string
  /** Whether its archive is older than encrypted ids, so that clients may have seen plain numbers. */
  readonly hadNumbers: boolean
}

/** The keys of all archives, derived from one secret of the installation. */
export class ArchiveKeys {
  readonly #loadSecret: () => Promise<Buffer>
  #secret: Buffer | undefined
  #loading: Promise<void> | undefined
  readonly #ofRooms = new Map<string, ArchiveIds>()

  constructor (loadSecret: () => Promise<Buffer>) {
    this.#loadSecret = loadSecret
  }

  /** Loads the secret; accounts and rooms are loaded only after it. Rejects with the database's error. */
  async load (): Promise<void> {
    if (!this.#secret) await (this.#loading ??= this.#readSecret())
  }

  async #readSecret (): Promise<void> {
    try {
      this.#secret = await this.#loadSecret()
    } finally {
      this.#loading = undefined
    }
  }

  ofAccount (account: string, { madeAt, hadNumbers }: Life): ArchiveIds {
    return new ArchiveIds(() => this.#derive(`account\0${account}\0${madeAt}`), hadNumbers)
  }

  /**
   * A room's numbers begin with its creation time and are never reused under its name, so its key may stay the same.
   */
  ofRoom (room: string): ArchiveIds {
    let ids = this.#ofRooms.get(room)
    if (ids) return ids
    if (this.#ofRooms.size >= MOST_ROOMS) this.#ofRooms.clear()
    this.#ofRooms.set(room, ids = new ArchiveIds(() => this.#derive(`room\0${room}`), true))
    return ids
  }

  /** `createdAt` (milliseconds since 1970) distinguishes a node from former ones of its name. */
  ofNode (owner: string, name: string, createdAt: number): ArchiveIds {
    return new ArchiveIds(() => this.#derive(`node\0${owner}\0${name}\0${createdAt}`))
  }

  #derive (whose: string): Buffer {
    if (!this.#secret) throw new Error('the secret of archive ids is not loaded yet')
    return createHmac('sha256', this.#secret).update(whose).digest().subarray(0, 16)
  }
}

/** The most rooms whose keys are cached. */
const MOST_ROOMS = 10_000

/** The round keys of a key of 16 bytes, in the order of the cipher's authors: the last word is used first. */
export function expand (key: Buffer): Int32Array {
  const words = [key.readInt32BE(8), key.readInt32BE(4), key.readInt32BE(0)]
  const schedule = new Int32Array(ROUNDS)
  let k = key.readInt32BE(12)
  for (let round = 0; round < ROUNDS; round++) {
    schedule[round] = k
    const word = words[round % 3] ?? 0
    const next = (k + (word >>> 8 | word << 24)) ^ round
    words[round % 3] = next
    k = (k << 3 | k >>> 29) ^ next
  }
  return schedule
}

/** A block is two words of 32 bits, the upper one first. */
export function encrypt (block: Int32Array, schedule: Int32Array): void {
  let x = block[0] ?? 0
  let y = block[1] ?? 0
  for (let round = 0; round < ROUNDS; round++) {
    x = ((x >>> 8 | x << 24) + y) ^ (schedule[round] ?? 0)
    y = (y << 3 | y >>> 29) ^ x
  }
  block[0] = x
  block[1] = y
}

export function decrypt (block: Int32Array, schedule: Int32Array): void {
  let x = block[0] ?? 0
  let y = block[1] ?? 0
  for (let round = ROUNDS - 1; round >= 0; round--) {
    const mixed = x ^ y
    y = mixed >>> 3 | mixed << 29
    const sum = ((x ^ (schedule[round] ?? 0)) - y) | 0
    x = sum << 8 | sum >>> 24
  }
  block[0] = x
  block[1] = y
}
