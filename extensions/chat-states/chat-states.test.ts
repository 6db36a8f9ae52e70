/** XEP-0085: Chat State Notifications. */
import { expect, test } from 'vitest'
import { worthOf } from '../../test/support/world/worth.ts'
import { world } from '../../test/support/world/world.ts'
import { archive } from '../archive/index.ts'
import { carbons } from '../carbons/index.ts'
import { chatStates } from './index.ts'

test.each([
  "<active xmlns='http://jabber.org/protocol/chatstates'/>",
  "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
  "<paused xmlns='http://jabber.org/protocol/chatstates'/>",
  "<inactive xmlns='http://jabber.org/protocol/chatstates'/>",
  "<gone xmlns='http://jabber.org/protocol/chatstates'/>",
])('a chat state is copied and not kept: %s', async content => {
  const worth = await worthOf(content, archive, carbons, chatStates)

  expect(worth).toEqual({ isKept: false, isCopied: true })
})

test('one that comes when nobody is there any more is lost without a word', async () => {
  const { client } = await world(archive, chatStates)
  const romeo = await client('romeo@localhost/orchard')
  const juliet = await client('juliet@localhost/balcony')
  juliet.leaves(false)

  await romeo.sends(
    "<message to='juliet@localhost' type='chat'><gone xmlns='http://jabber.org/protocol/chatstates'/></message>",
  )

  expect(await romeo.received()).toEqual([])
})
