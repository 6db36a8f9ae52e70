import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Jid } from '../xmpp/jid.ts'
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

  test('that slipped through together are paid for afterwards', async () => {
    const limits = new LoginLimits(10)
    const compared = Promise.withResolvers<boolean>()
    for (let n = 0; n < 30; n++) void limits.attempt(HERE, JULIET, () => compared.promise)
    await later()
    compared.resolve(false)
    await later(60_000)
    const soon = guess(limits, true, HERE, ROMEO)
    await later(50_000)
    expect(soon.state).toBe('temporary-auth-failure')
    await later(60_000)
    const late = guess(limits, true, HERE, ROMEO)
    await later()

    expect(late.state).toBe('right')
  })

  test('close the door for ten minutes at most', async () => {
    const limits = new LoginLimits(10)
    guessTogether(limits, 500, () => HERE, JULIET)
    await later(10 * 60_000)
    const next = guess(limits, true, HERE, ROMEO)
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
