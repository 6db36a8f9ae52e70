/**
 * Slows guesses at passwords (RFC 6120 §13.9.4). A guess takes its place in the limit before it is compared, and gives it
 * back when it was right, so that guesses side by side get no more than those one after the other. The limit is the
 * network's, whose accounts take turns, and then the account's. Who has logged in from a network before is counted apart
 * there. Nobody may keep an account's owner out: guesses from everywhere, and from his own network, make him wait only.
 */
import { networkOf } from '../../util/network-of.ts'
import { RateLimit } from '../../util/rate-limit.ts'
import type { Taken } from '../../util/rate-limit.ts'
import { RateQueue } from '../../util/rate-queue.ts'
import { SaslError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'

const MINUTE = 60_000
/** How long an attempt is kept waiting for its network, and how long for its account. */
const PATIENCE = 10_000
/** How many who have logged in are remembered; who was longest away is forgotten first. */
const REMEMBERED = 20_000

/** One for the whole program, which counts what comes to this node. */
export class LoginLimits {
  readonly #networks: RateQueue
  readonly #accounts: RateQueue
  readonly #pairs: RateQueue
  readonly #proven = new Set<string>()

  /** `perMinute` wrong guesses are free; 0: there is no limit. `random` is between 0 and 1. */
  constructor (perMinute: number, random: () => number = Math.random) {
    const queue = (): RateQueue => new RateQueue(new RateLimit(perMinute, MINUTE), PATIENCE, random)
    this.#networks = queue()
    this.#accounts = queue()
    this.#pairs = queue()
  }

  /**
   * Runs `compare` when it is this attempt's turn, and counts its result. The wait comes before, not after, so that
   * hanging up early (`isGone`) gains nothing; it says temporary-auth-failure where it would be too long.
   */
  async attempt (
    address: string, account: Jid, compare: () => boolean | Promise<boolean>, isGone: () => boolean = () => false,
  ): Promise<boolean> {
    const network = networkOf(address)
    const name = account.toString()
    const pair = `${network} ${name}`
    const taken = this.#proven.has(pair)
      ? [await waitFor(this.#pairs, pair, isGone)]
      : await this.#admit(network, name, isGone)
    let isWrong = false
    try {
      const result = compare()
      isWrong = !(typeof result === 'boolean' ? result : await result)
    } finally {
      if (!isWrong) for (const one of taken) one.giveBack()
    }
    if (!isWrong) this.#prove(pair)
    return !isWrong
  }

  async #admit (network: string, account: string, isGone: () => boolean): Promise<readonly Taken[]> {
    const turn = this.#networks.turn(network, account, isGone)
    const taken = turn instanceof Promise ? await turn : turn
    if (!taken) throw tooMany()
    try {
      return [taken, await waitFor(this.#accounts, account, isGone)]
    } catch (error) { // the client has left: nothing will be compared
      taken.giveBack()
      throw error
    }
  }

  #prove (pair: string): void {
    this.#proven.delete(pair)
    this.#proven.add(pair)
    if (this.#proven.size <= REMEMBERED) return
    const { value: oldest } = this.#proven.values().next()
    if (oldest !== undefined) this.#proven.delete(oldest)
  }
}

/** For who must not be kept out. */
async function waitFor (queue: RateQueue, key: string, isGone: () => boolean): Promise<Taken> {
  const taken = await queue.turn(key, '', isGone)
  if (taken) return taken
  if (isGone()) throw tooMany()
  return queue.overdraw(key)
}

function tooMany (): SaslError {
  return new SaslError('temporary-auth-failure', 'Too many failed logins: try again later')
}
