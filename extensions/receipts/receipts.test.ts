/** XEP-0184: Message Delivery Receipts. */
import { expect, test } from 'vitest'
import { worthOf } from '../../test/support/world/worth.ts'
import { archive } from '../archive/index.ts'
import { carbons } from '../carbons/index.ts'
import { receipts } from './index.ts'

test('a receipt is kept and copied', async () => {
  const worth = await worthOf("<received xmlns='urn:xmpp:receipts' id='r1'/>", archive, carbons, receipts)

  expect(worth).toEqual({ isKept: true, isCopied: true })
})
