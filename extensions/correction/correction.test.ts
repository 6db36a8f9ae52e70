/** XEP-0308: Last Message Correction. */
import { expect, test } from 'vitest'
import { worthOf } from '../../test/support/world/worth.ts'
import { archive } from '../archive/index.ts'
import { carbons } from '../carbons/index.ts'
import { correction } from './index.ts'

test('a correction is kept and copied, whatever it holds besides', async () => {
  const worth = await worthOf(
    "<replace xmlns='urn:xmpp:message-correct:0' id='r1'/><x xmlns='urn:example:new'/>",
    archive,
    carbons,
    correction,
  )

  expect(worth).toEqual({ isKept: true, isCopied: true })
})
