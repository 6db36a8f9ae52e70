/** XEP-0333: Displayed Markers. */
import { expect, test } from 'vitest'
import { worthOf } from '../../test/support/world/worth.ts'
import { archive } from '../archive/index.ts'
import { carbons } from '../carbons/index.ts'
import { chatMarkers } from './index.ts'

test('a displayed marker is kept and copied', async () => {
  const worth = await worthOf("<displayed xmlns='urn:xmpp:chat-markers:0' id='r1'/>", archive, carbons, chatMarkers)

  expect(worth).toEqual({ isKept: true, isCopied: true })
})
