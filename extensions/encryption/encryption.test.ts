/** XEP-0384: OMEMO Encryption. */
import { expect, test } from 'vitest'
import { worthOf } from '../../test/support/world/worth.ts'
import { archive } from '../archive/index.ts'
import { carbons } from '../carbons/index.ts'
import { encryption } from './index.ts'

test.each([
  "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/><payload>aGk=</payload></encrypted>",
  "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/><payload>aGk=</payload></encrypted>",
])('what is encrypted is kept and copied without a body: %s', async content => {
  const worth = await worthOf(content, archive, carbons, encryption)

  expect(worth).toEqual({ isKept: true, isCopied: true })
})
