/**
 * Limits of unacknowledged bytes, and which sessions end beyond them: those of the account itself before those of
 * others.
 */
import type { AccountView } from '../../src/extension/api.ts'

/** For all sessions of an account together. */
const MAX_ACCOUNT_BYTES = 64 * 1024 * 1024
/** Sessions of an account that wait for resumption. */
const MAX_ASLEEP = 20

/** A session as far as it matters here. */
export interface Keeper {
  /** What it keeps. */
  readonly bytes: number
  /** When it began to wait for resumption; undefined while it has a stream. */
  readonly asleepSince: number | undefined
  /** Ends the session. */
  giveUp (): void
}

/** What is kept on the whole server. */
export class Kept {
  readonly #most: number
  readonly #shares = new Map<AccountView, Share>()
  bytes = 0

  /** Up to `most` bytes; 0 is no limit. */
  constructor (most: number) {
    this.#most = most
  }

  /** The account's, with one keeper more. */
  join (account: AccountView, keeper: Keeper): Share {
    const share = this.#shares.get(account) ?? new Share(this)
    this.#shares.set(account, share)
    share.keepers.add(keeper)
    return share
  }

  /** The session has ended, and queues nothing. */
  leave (account: AccountView, keeper: Keeper): void {
    const share = this.#shares.get(account)
    if (!share?.keepers.delete(keeper)) return
    share.add(-keeper.bytes)
    if (share.keepers.size === 0) this.#shares.delete(account)
  }

  get isTooMuch (): boolean {
    return this.#most > 0 && this.bytes > this.#most
  }

  /** The account that keeps most. */
  get largest (): Share | undefined {
    let largest: Share | undefined
    for (const share of this.#shares.values()) if (share.bytes > (largest?.bytes ?? 0)) largest = share
    return largest
  }
}

/** What is kept for one account. */
export class Share {
  readonly keepers = new Set<Keeper>()
  readonly #all: Kept
  bytes = 0

  constructor (all: Kept) {
    this.#all = all
  }

  add (bytes: number): void {
    this.bytes += bytes
    this.#all.bytes += bytes
  }

  get isTooMuch (): boolean {
    return this.bytes > MAX_ACCOUNT_BYTES || this.#all.isTooMuch
  }

  /** Ends sessions until the rest is within the limits: the longest waiting first, or else the largest. */
  makeRoom (): void {
    while (this.bytes > MAX_ACCOUNT_BYTES && this.#giveUpOne()) {}
    for (let largest = this.#all.largest; this.#all.isTooMuch && largest; largest = this.#all.largest) {
      if (!largest.#giveUpOne()) return
    }
  }

  /** Ends the longest waiting sessions of an account beyond the limit. */
  limitAsleep (): void {
    const asleep = [...this.keepers].filter(({ asleepSince }) => asleepSince !== undefined).sort(byAge)
    for (const keeper of asleep.slice(0, Math.max(0, asleep.length - MAX_ASLEEP))) keeper.giveUp()
  }

  /** Whether that has made any difference. */
  #giveUpOne (): boolean {
    const before = this.bytes
    const keepers = [...this.keepers].filter(({ bytes }) => bytes > 0)
    const asleep = keepers.filter(({ asleepSince }) => asleepSince !== undefined).sort(byAge)
    const [first] = asleep.length > 0 ? asleep : keepers.sort((one, other) => other.bytes - one.bytes)
    first?.giveUp()
    return this.bytes < before
  }
}

function byAge (one: Keeper, other: Keeper): number {
  return (one.asleepSince ?? 0) - (other.asleepSince ?? 0)
}
