/** XEP-0384: OMEMO Encryption. */
import { expect, test } from 'vitest'
import { publishes, request } from '../../test/support/world/nodes.ts'
import { world } from '../../test/support/world/world.ts'
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

test.each(['urn:xmpp:omemo:2:devices', 'urn:xmpp:omemo:2:bundles', 'eu.siacs.conversations.axolotl.devicelist'])(
  'who is no contact may read %s (§5.3)', async node => {
    const { client } = await world(encryption)
    const [juliet, stranger] = [await client('juliet@localhost/balcony'), await client('stranger@localhost/street')]
    await publishes(juliet, node, 'current', 'keys')

    const answer = await stranger.asks('get', request(`<items node='${node}'/>`), 'juliet@localhost')

    expect(String(answer)).toContain('keys')
  })

test('keys of several devices are kept (§5.3.2)', async () => {
  const { client } = await world(encryption)
  const juliet = await client('juliet@localhost/balcony')
  const node = 'urn:xmpp:omemo:2:bundles'
  for (const device of ['1', '2', '3']) await publishes(juliet, node, device, `keys-${device}`)

  const answer = await juliet.asks('get', request(`<items node='${node}'/>`))

  expect(answer?.getChild('items')?.getChildren('item').map(({ attrs }) => attrs['id'])).toEqual(['1', '2', '3'])
})
