/** XEP-0444: Message Reactions. */
import { expect, test } from 'vitest'
import { worthOf } from '../../test/support/world/worth.ts'
import { archive } from '../archive/index.ts'
import { carbons } from '../carbons/index.ts'
import { reactions } from './index.ts'

test('a reaction is kept and copied', async () => {
  const worth = await worthOf(
    "<reactions xmlns='urn:xmpp:reactions:0' id='r1'><reaction>👋</reaction></reactions>",
    archive,
    carbons,
    reactions,
  )

  expect(worth).toEqual({ isKept: true, isCopied: true })
})
