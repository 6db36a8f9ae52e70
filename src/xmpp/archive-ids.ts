/**
 * The ids of an archive as others see them (XEP-0359 §4: unpredictable; XEP-0313 §6.2: never given twice). Within, a
 * message has a number, without gaps; an id is that number under a cipher with a key of the archive's own. So nothing
 * has to be kept to find a message by its id, and an id of another archive, or of an account that had the same name
 * before, leads nowhere.
 *
 * The cipher is Speck64/128 (Beaulieu et al., https://eprint.iacr.org/2013/404), whose block is as long as two numbers of
 * this machine: two of them are made per message. What it has to keep secret is which id comes next.
 */
import { createHmac, randomBytes } from 'node:crypto'

const ROUNDS = 27

/** What a block holds of the number's upper half. The rest is zero, or the id is not of this archive. */
const HIGH_BITS = 21

/** RFC 4648 §6, in small letters: the first of 13 stands for four bits, and so is a letter, which tells an id from a number. */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const PAIRS: readonly string[] = Array.from({ length: 1024 }, (_, n) => ALPHABET.charAt(n >> 5) + ALPHABET.charAt(n & 31))
const ID = /^[a-p][a-z2-7]{12}$/
const NUMBER = /^[1-9]\d{0,14}$/

export class ArchiveIds {
  readonly #key: () => Buffer
  readonly #hadNumbers: boolean
  #schedule: Int32Array | undefined
  readonly #block = new Int32Array(2)

  /** `key` gives 16 bytes, when the first id is made; `hadNumbers` where clients may have seen the numbers themselves. */
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

  /** The number of the message with that id; nothing where it is no id of this archive. */
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

/** Of who keeps nothing: nobody learns these. */
export const NO_ARCHIVE = new ArchiveIds(() => randomBytes(16))

/** What tells an account from one that had its name before. */
export interface Life {
  /** Microseconds since 1970. */
  readonly madeAt: string
  /** Whether clients may have seen the numbers of its archive: it is older than such ids. */
  readonly hadNumbers: boolean
}

/** The keys of all archives, from one secret of the installation's. */
export class ArchiveKeys {
  readonly #loadSecret: () => Promise<Buffer>
  #secret: Buffer | undefined
  #loading: Promise<void> | undefined
  readonly #ofRooms = new Map<string, ArchiveIds>()

  constructor (loadSecret: () => Promise<Buffer>) {
    this.#loadSecret = loadSecret
  }

  /** Resolves when ids can be made and read: no account or room is in memory before. Rejects with the database's error. */
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

  /** A room's numbers begin with when it was made, and are not given again under its name: its key may be the same. */
  ofRoom (room: string): ArchiveIds {
    let ids = this.#ofRooms.get(room)
    if (ids) return ids
    if (this.#ofRooms.size >= MOST_ROOMS) this.#ofRooms.clear()
    this.#ofRooms.set(room, ids = new ArchiveIds(() => this.#derive(`room\0${room}`), true))
    return ids
  }

  #derive (whose: string): Buffer {
    if (!this.#secret) throw new Error('the secret of archive ids is not loaded yet')
    return createHmac('sha256', this.#secret).update(whose).digest().subarray(0, 16)
  }
}

/** Rooms whose keys are remembered; they are made again when somebody asks. */
const MOST_ROOMS = 10_000

/** The round keys of a key of 16 bytes, as the cipher's authors write it: the word that comes in last is the first. */
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
