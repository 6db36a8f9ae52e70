import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Jid } from '../../xmpp/jid.ts'
import { LoginLimits } from './login-limits.ts'

const JULIET = Jid.parse('juliet@localhost')
const ROMEO = Jid.parse('romeo@localhost')
const HERE = '192.0.2.1'
const ELSEWHERE = '192.0.2.2'

beforeEach(() => { vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] }) })
afterEach(() => { vi.useRealTimers() })

/** One attempt; `state` says at any time what has become of it. */
function guess (limits: LoginLimits, isRight: boolean, address: string, account: Jid) {
  const attempt = { state: 'waiting' }
  limits.attempt(address, account, () => isRight).then(
    result => { attempt.state = result ? 'right' : 'wrong' },
    (error: { condition: string }) => { attempt.state = error.condition },
  )
  return attempt
}

const later = async (milliseconds = 0) => { await vi.advanceTimersByTimeAsync(milliseconds) }

function guessTogether (limits: LoginLimits, times: number, address: (n: number) => string, account: Jid): void {
  for (let n = 0; n < times; n++) guess(limits, false, address(n), account)
}

type Addresses = string | ((n: number) => string)

async function guessWrong (limits: LoginLimits, times: number, address: Addresses, account: Jid): Promise<void> {
  for (let n = 0; n < times; n++) {
    guess(limits, false, typeof address === 'string' ? address : address(n), account)
    await later()
  }
}

function guessFromMany (limits: LoginLimits, first: number, end: number): void {
  for (let n = first; n < end; n++) guess(limits, false, `203.0.${n >> 8}.${n & 255}`, Jid.of(`a${n}`, 'localhost'))
}

/** Connections that guess wrong without a pause, each as soon as it has heard of its last guess. */
class Crowd {
  looks = 0
  #isOver = false

  constructor (limits: LoginLimits, size: number, address: string, account: Jid | ((n: number) => Jid)) {
    for (let n = 0; n < size; n++)
      void this.#guess(
        limits,
        address,
        typeof account === 'function' ? account : () => account,
      )
  }

  end (): void {
    this.#isOver = true
  }

  async #guess (limits: LoginLimits, address: string, account: (n: number) => Jid): Promise<void> {
    for (let n = 0; !this.#isOver; n++) await limits.attempt(address, account(n), () => this.#look()).catch(() => {})
  }

  async #look (): Promise<boolean> {
    await new Promise(resolve => { setTimeout(resolve, 5) })
    this.looks++
    return false
  }
}

/** Tries again as soon as he is refused; resolves with the tries that it took. */
async function insist (limits: LoginLimits, address: string, account: Jid, most: number): Promise<number> {
  for (let tries = 1; tries <= most; tries++) {
    const attempt = guess(limits, true, address, account)
    while (attempt.state === 'waiting') await later(1000)
    if (attempt.state === 'right') return tries
  }
  return Infinity
}

/** Always the same luck (Park and Miller's generator). */
function luck (seed: number): () => number {
  let state = seed
  return () => (state = state * 48271 % 2147483647) / 2147483647
}

describe('wrong guesses', () => {
  test('are answered at once up to the limit', async () => {
    const limits = new LoginLimits(10)
    await guessWrong(limits, 9, HERE, JULIET)
    const tenth = guess(limits, false, HERE, JULIET)
    await later()

    expect(tenth.state).toBe('wrong')
  })

  test('beyond the limit wait, and so does the right one among them', async () => {
    const limits = new LoginLimits(10)
    await guessWrong(limits, 10, HERE, JULIET)
    const right = guess(limits, true, HERE, JULIET)
    await later(5_900)
    expect(right.state).toBe('waiting')
    await later(200)

    expect(right.state).toBe('right')
  })

  test('of many streams at once get no more turns than those of one', async () => {
    const limits = new LoginLimits(10)
    await guessWrong(limits, 10, HERE, JULIET)
    const guesses = Array.from({ length: 50 }, (_, n) => guess(limits, false, HERE, Jid.parse(`victim${n}@localhost`)))
    await later(60_000)

    expect(guesses.filter(({ state }) => state === 'wrong')).toHaveLength(1)
    expect(guesses.filter(({ state }) => state === 'temporary-auth-failure')).toHaveLength(49)
  })

  test('side by side are looked at no more often than one after the other', async () => {
    const limits = new LoginLimits(10)
    const crowd = new Crowd(limits, 90, HERE, JULIET)
    await later(10)
    expect(crowd.looks).toBe(10)
    await later(50_000)
    const next = guess(limits, true, HERE, ROMEO)
    await later(6_000)
    crowd.end()

    expect(crowd.looks).toBeLessThanOrEqual(20)
    expect(next.state).toBe('right')
  })

  test('that nobody waits for any more are not looked at', async () => {
    const limits = new LoginLimits(10)
    await guessWrong(limits, 10, HERE, JULIET)
    let looks = 0
    for (let n = 0; n < 1000; n++) {
      void limits.attempt(HERE, ROMEO, () => { looks++; return false }, () => true).catch(() => {})
    }
    const right = guess(limits, true, HERE, ROMEO)
    await later(6_000)

    expect(looks).toBe(0)
    expect(right.state).toBe('right')
  })

  test('are none where nobody waited for the turn of the account any more', async () => {
    const limits = new LoginLimits(10)
    guessTogether(limits, 500, n => `198.51.${n >> 8}.${n & 255}`, JULIET)
    await later()
    let isGone = false
    for (let n = 0; n < 10; n++) void limits.attempt(HERE, JULIET, () => false, () => isGone).catch(() => {})
    await later()
    isGone = true
    await later(10_000)
    await guessWrong(limits, 9, HERE, ROMEO)
    const next = guess(limits, true, HERE, ROMEO)
    await later()

    expect(next.state).toBe('right')
  })

  test('are none where the comparison failed', async () => {
    const limits = new LoginLimits(10)
    for (let n = 0; n < 50; n++) {
      void limits.attempt(HERE, JULIET, () => { throw new Error('the database is away') }).catch(() => {})
    }
    await later()
    const next = guess(limits, true, HERE, JULIET)
    await later()

    expect(next.state).toBe('right')
  })

  test('are forgiven with time', async () => {
    const limits = new LoginLimits(10)
    await guessWrong(limits, 10, HERE, JULIET)
    await later(60_000)
    const next = guess(limits, false, HERE, JULIET)
    await later()

    expect(next.state).toBe('wrong')
  })

  test('from the addresses of one IPv6 subscriber are counted together', async () => {
    const limits = new LoginLimits(10)
    await guessWrong(limits, 10, n => `2001:db8::${n}`, JULIET)
    const next = guess(limits, true, '2001:db8::ffff', ROMEO)
    await later()

    expect(next.state).toBe('waiting')
  })

  test('from one address are counted whatever the accounts, and right ones are not', async () => {
    const limits = new LoginLimits(10)
    for (let n = 0; n < 50; n++) guess(limits, true, HERE, Jid.parse(`a${n}@localhost`))
    await later()
    const right = guess(limits, true, HERE, JULIET)
    await later()
    expect(right.state).toBe('right')
    for (let n = 0; n < 10; n++) guess(limits, false, HERE, Jid.parse(`b${n}@localhost`))
    await later()
    const next = guess(limits, true, HERE, Jid.parse('c@localhost'))
    await later()

    expect(next.state).toBe('waiting')
  })

  test('are forgotten first where they were made first, so that memory has an end', async () => {
    const limits = new LoginLimits(10)
    await guessWrong(limits, 9, HERE, JULIET)
    await guessWrong(limits, 10, ELSEWHERE, ROMEO)
    guessFromMany(limits, 0, 10_000)
    await later()
    await guessWrong(limits, 1, HERE, JULIET)
    guessFromMany(limits, 10_000, 20_000)
    await later()
    const [here, elsewhere] = [guess(limits, true, HERE, JULIET), guess(limits, true, ELSEWHERE, ROMEO)]
    await later()

    expect(here.state).toBe('waiting')
    expect(elsewhere.state).toBe('right')
  })

  test('are free where there is no limit', async () => {
    const limits = new LoginLimits(0)
    await guessWrong(limits, 1000, HERE, JULIET)
    const next = guess(limits, false, HERE, JULIET)
    await later()

    expect(next.state).toBe('wrong')
  })
})

describe('an account that is guessed at from everywhere', () => {
  const everywhere = (n: number) => `198.51.${n >> 8}.${n & 255}`

  test('makes its owner wait at a new address, and lets him in', async () => {
    const limits = new LoginLimits(10)
    guessTogether(limits, 500, everywhere, JULIET)
    await later()
    const owner = guess(limits, true, HERE, JULIET)
    await later()
    expect(owner.state).toBe('waiting')
    await later(10_000)

    expect(owner.state).toBe('right')
  })

  test('does not make its owner wait where he has logged in before', async () => {
    const limits = new LoginLimits(10)
    guess(limits, true, HERE, JULIET)
    await later()
    guessTogether(limits, 500, everywhere, JULIET)
    await later()
    const owner = guess(limits, true, HERE, JULIET)
    await later()

    expect(owner.state).toBe('right')
  })

  test('does not make others wait', async () => {
    const limits = new LoginLimits(10)
    guessTogether(limits, 500, everywhere, JULIET)
    await later()
    const other = guess(limits, true, HERE, ROMEO)
    await later()

    expect(other.state).toBe('right')
  })
})

describe('a neighbour at the same address', () => {
  test('who guesses does not slow those who have logged in there before', async () => {
    const limits = new LoginLimits(10)
    guess(limits, true, HERE, JULIET)
    await later()
    await guessWrong(limits, 100, HERE, ROMEO)
    const juliet = guess(limits, true, HERE, JULIET)
    await later()

    expect(juliet.state).toBe('right')
  })

  test('can not guess without limit at those who have logged in there', async () => {
    const limits = new LoginLimits(10)
    guess(limits, true, HERE, JULIET)
    await later()
    await guessWrong(limits, 10, HERE, JULIET)
    const next = guess(limits, false, HERE, JULIET)
    await later()
    expect(next.state).toBe('waiting')
    const other = guess(limits, true, ELSEWHERE, ROMEO)
    await later()

    expect(other.state).toBe('right')
  })

  test('is not forgiven because one of them logs in again', async () => {
    const limits = new LoginLimits(10)
    guess(limits, true, HERE, JULIET)
    await later()
    await guessWrong(limits, 10, HERE, JULIET)
    const juliet = guess(limits, true, HERE, JULIET)
    await later(6_000)
    expect(juliet.state).toBe('right')
    await guessWrong(limits, 1, HERE, JULIET)
    const next = guess(limits, false, HERE, JULIET)
    await later()

    expect(next.state).toBe('waiting')
  })
})

describe('a crowd of 110 connections at one address', () => {
  const everybody = (n: number) => Jid.of(`a${n}`, 'localhost')

  test('that guesses at who has logged in there makes him wait ten seconds at most', async () => {
    const limits = new LoginLimits(10)
    guess(limits, true, HERE, JULIET)
    await later()
    const crowd = new Crowd(limits, 110, HERE, JULIET)
    await later(60_000)
    const owner = guess(limits, true, HERE, JULIET)
    await later(10_000)
    crowd.end()

    expect(owner.state).toBe('right')
  })

  test('that guesses at one account leaves the next turn to another, who has never logged in there', async () => {
    const limits = new LoginLimits(10)
    const crowd = new Crowd(limits, 110, HERE, ROMEO)
    await later(60_000)
    const other = guess(limits, true, HERE, JULIET)
    await later(6_100)
    crowd.end()

    expect(other.state).toBe('right')
  })

  test.each([
    ['one account', ROMEO],
    ['all accounts', everybody],
  ])('that guesses at %s has ten guesses and then ten a minute', async (_what, accounts) => {
    const limits = new LoginLimits(10)
    const crowd = new Crowd(limits, 110, HERE, accounts)
    await later(2 * 60_000)
    crowd.end()

    expect(crowd.looks).toBeLessThanOrEqual(30)
  })
})

test('a crowd at one address keeps out whom it guesses at, where he never logged in, only as long as luck has it', async () => {
  const limits = new LoginLimits(10, luck(7))
  const crowd = new Crowd(limits, 20, HERE, JULIET)
  await later(60_000)
  const tries = await insist(limits, HERE, JULIET, 60)
  crowd.end()

  expect(tries).toBeLessThan(60) // twelve on average: 20 wait, ten are chosen a minute, a try takes ten seconds
})
