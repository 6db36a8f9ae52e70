/** XEP-0353: Jingle Message Initiation. */
import { expect, test } from 'vitest'
import { worthOf } from '../../test/support/world/worth.ts'
import { archive } from '../archive/index.ts'
import { carbons } from '../carbons/index.ts'
import { calls } from './index.ts'

test.each([
  "<propose xmlns='urn:xmpp:jingle-message:0' id='c1'/>",
  "<proceed xmlns='urn:xmpp:jingle-message:0' id='c1'/>",
  "<reject xmlns='urn:xmpp:jingle-message:0' id='c1'/>",
  "<retract xmlns='urn:xmpp:jingle-message:0' id='c1'/>",
  "<finish xmlns='urn:xmpp:jingle-message:0' id='c1'/>",
])('what is said of a call is kept and copied: %s', async content => {
  const worth = await worthOf(content, archive, carbons, calls)

  expect(worth).toEqual({ isKept: true, isCopied: true })
})
