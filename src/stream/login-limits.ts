/**
 * Slows guesses at passwords (RFC 6120 §13.9.4). Wrong ones are counted for the network they come from and for the
 * account they are about; beyond the limit the next one waits for its turn, and a network that asks for too many turns
 * is refused. Who has logged in from a network before is counted apart there, so that nobody else can keep him out.
 */
import { networkOf } from '../util/network-of.ts'
import { SaslError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'

const MINUTE = 60_000
/** How long an attempt is kept waiting for its network, and how long for its account. */
const PATIENCE = 10_000
/** How far ahead wrong guesses can close the door. */
const MAX_DEBT = 10 * MINUTE
/** How many keys of each kind are remembered; the ones that were longest without a change are forgotten first. */
const REMEMBERED = 20_000

/** One for the whole program. */
export class LoginLimits {
  readonly #cost: number
  readonly #networks = new Ledger()
  readonly #accounts = new Ledger()
  readonly #proven = new Ledger()

  /** `perMinute` wrong guesses are free; 0: there is no limit. */
  constructor (perMinute: number) {
    this.#cost = perMinute === 0 ? 0 : MINUTE / perMinute
  }

  /**
   * Runs `compare` when it is this attempt's turn, and counts its result. The wait comes before, not after, so that
   * hanging up early gains nothing; it says temporary-auth-failure where it would be too long.
   */
  async attempt (address: string, account: Jid, compare: () => boolean | Promise<boolean>): Promise<boolean> {
    const network = networkOf(address)
    const pair = `${network} ${account.toString()}`
    if (this.#proven.has(pair)) {
      await this.#turn(() => this.#wait(this.#proven, pair))
    } else {
      // Guesses from everywhere must not keep the account's owner out: they make him wait, and that once.
      const wait = this.#wait(this.#accounts, account.toString())
      if (wait > 0) await sleep(Math.min(wait, PATIENCE))
      await this.#turn(() => this.#wait(this.#networks, network))
    }
    const isRight = await compare()
    this.#count(network, account.toString(), pair, isRight)
    return isRight
  }

  /** Several may wait for one turn: each looks again when it wakes. */
  async #turn (wait: () => number): Promise<void> {
    let left = PATIENCE
    for (let next = wait(); next > 0; next = wait()) {
      if (next > left) throw new SaslError('temporary-auth-failure', 'Too many failed logins: try again later')
      left -= next
      await sleep(next)
    }
  }

  #count (network: string, account: string, pair: string, isRight: boolean): void {
    const now = performance.now()
    if (isRight) {
      this.#proven.set(pair, Math.max(this.#proven.get(pair), now))
    } else if (this.#proven.has(pair)) {
      this.#charge(this.#proven, pair, now)
    } else {
      this.#charge(this.#networks, network, now)
      this.#charge(this.#accounts, account, now)
    }
  }

  #charge (ledger: Ledger, key: string, now: number): void {
    ledger.set(key, Math.min(Math.max(ledger.get(key), now) + this.#cost, now + MAX_DEBT))
  }

  /** Milliseconds until a further wrong guess would be within the limit. */
  #wait (ledger: Ledger, key: string): number {
    return Math.max(0, ledger.get(key) + this.#cost - MINUTE - performance.now())
  }
}

/** For each key, the time at which all its wrong guesses are forgiven. */
class Ledger {
  readonly #times = new Map<string, number>()

  has (key: string): boolean {
    return this.#times.has(key)
  }

  get (key: string): number {
    return this.#times.get(key) ?? -Infinity
  }

  set (key: string, time: number): void {
    this.#times.delete(key)
    this.#times.set(key, time)
    if (this.#times.size <= REMEMBERED) return
    const { value: oldest } = this.#times.keys().next()
    if (oldest !== undefined) this.#times.delete(oldest)
  }
}

function sleep (milliseconds: number): Promise<void> {
  return new Promise(resolve => { setTimeout(resolve, milliseconds).unref() })
}
