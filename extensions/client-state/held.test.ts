/** What is held for an inactive client. */
import { expect, test } from 'vitest'
import { Shares } from '../../src/util/shares.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { presence } from '../../src/xmpp/stanza.ts'
import { Held } from './held.ts'

test('counts against its account while it is held, and what is replaced does not', () => {
  const shares = new Shares(10_000, 1000)
  const held = new Held(shares, 'juliet@localhost')
  const add = (from: string): void => { held.add(presence('available', { from: Jid.parse(from) })) }

  for (let times = 0; times < 100; times++) add('romeo@localhost/orchard')
  expect(shares.hasRoom('juliet@localhost')).toBe(true)
  for (let number = 0; number < 20; number++) add(`friend${number}@localhost/a`)
  expect(shares.hasRoom('juliet@localhost')).toBe(false)
  expect(shares.hasRoom('nurse@localhost')).toBe(true)

  expect(held.take()).toHaveLength(21)
  expect(held.bytes).toBe(0)
  expect(shares.hasRoom('juliet@localhost')).toBe(true)
})
