/** Deliveries in the archive's order. */
import { expect, test } from 'vitest'
import { Jid } from '../xmpp/jid.ts'
import { Account } from './account.ts'

/** An account, and what was delivered to it in which order. */
function recording (): { account: Account, log: string[], deliver: (what: string, committed?: Promise<void>) => void | Promise<void> } {
  const account = new Account(Jid.parse('juliet@localhost'))
  const log: string[] = []
  return { account, log, deliver: (what, committed) => account.deliverInOrder(committed, () => { log.push(what) }) }
}

test('what waits for nothing is delivered at once', () => {
  const { log, deliver } = recording()

  expect(deliver('presence')).toBeUndefined()
  expect(log).toEqual(['presence'])
})

test('what is kept is delivered when it is committed, and what came after it not before', async () => {
  const { log, deliver } = recording()
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]

  const done = [
    deliver('one', first.promise), deliver('two', first.promise), deliver('presence'), deliver('three', second.promise), deliver('iq'),
  ]
  expect(log).toEqual([])
  first.resolve()
  await Promise.all(done.slice(0, 3))
  expect(log).toEqual(['one', 'two', 'presence'])
  second.resolve()
  await Promise.all(done)

  expect(log).toEqual(['one', 'two', 'presence', 'three', 'iq'])
  expect(deliver('later')).toBeUndefined()
})

test('what could not be committed is not delivered, and what only waited for it is', async () => {
  const { log, deliver } = recording()
  const commit = Promise.withResolvers<void>()

  const kept = [deliver('one', commit.promise), deliver('two', commit.promise)]
  const presence = deliver('presence')
  commit.reject(new Error('no room'))

  await expect(Promise.all(kept)).rejects.toThrow('no room')
  await presence
  expect(log).toEqual(['presence'])
})

test('what a delivery brings about comes after what is waiting', async () => {
  const { account, log, deliver } = recording()
  const commit = Promise.withResolvers<void>()

  const done = account.deliverInOrder(commit.promise, () => {
    log.push('one')
    void deliver('answer')
  })
  void deliver('two', commit.promise)
  commit.resolve()
  await done

  expect(log).toEqual(['one', 'two', 'answer'])
})

test('a delivery that breaks does not keep the others back', async () => {
  const { account, log, deliver } = recording()
  const commit = Promise.withResolvers<void>()

  const broken = account.deliverInOrder(commit.promise, () => { throw new Error('a mistake') })
  void Promise.resolve(deliver('two', commit.promise)).catch(() => {})
  commit.resolve()

  await expect(broken).rejects.toThrow('a mistake')
  expect(log).toEqual(['two'])
  expect(deliver('later')).toBeUndefined()
})
