/**
 * Rate limits for guesses at passwords (RFC 6120 §13.9.4). A guess takes a place before it is compared, and gives it
 * back when it was right, so that concurrent guesses get no more than sequential ones. There is a limit per network, in
 * which accounts take turns, and one per account. An account that has logged in from a network before has a limit of
 * its own there. Guesses of others, even from its own network, can delay an account's owner, but never lock it out.
 */
import { networkOf } from '../../util/network-of.ts'
import { RateLimit } from '../../util/rate-limit.ts'
import type { Taken } from '../../util/rate-limit.ts'
import { RateQueue } from '../../util/rate-queue.ts'
import { SaslError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'

const MINUTE = 60_000
/** The timeout of waiting for the network's limit, and for the account's, in milliseconds. */
const WAIT_MS = 10_000
/** The most pairs of network and account remembered; the least recently used is forgotten first. */
const REMEMBERED = 20_000

/** The limits of this node. */
export class LoginLimits {
  readonly #networks: RateQueue
  readonly #accounts: RateQueue
  readonly #pairs: RateQueue
  readonly #proven = new Set<string>()

  /** Allows `perMinute` wrong guesses; 0 means no limit. `random` returns numbers between 0 and 1. */
  constructor (perMinute: number, random: () => number = Math.random) {
    const queue = (): RateQueue => new RateQueue(new RateLimit(perMinute, MINUTE), WAIT_MS, random)
    this.#networks = queue()
    this.#accounts = queue()
    this.#pairs = queue()
  }

  /**
   * Runs `compare` in this attempt's turn, and counts a wrong guess. The wait is before the comparison, so that an
   * early disconnect (`isGone`) gains nothing. Throws temporary-auth-failure after the timeout.
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
    } catch (error) { // the client has disconnected: nothing is compared
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

/** Waits for a place, and after the timeout takes one anyway: the account's owner must not be locked out. */
async function waitFor (queue: RateQueue, key: string, isGone: () => boolean): Promise<Taken> {
  const taken = await queue.turn(key, '', isGone)
  if (taken) return taken
  if (isGone()) throw tooMany()
  return queue.overdraw(key)
}

function tooMany (): SaslError {
  return new SaslError('temporary-auth-failure', 'Too many failed logins: try again later')
}
