import { expect, test } from 'vitest'
import { online } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import { textLimit } from './index.ts'

async function romeoAndJuliet () {
  const server = await world([textLimit, { characters: 10 }])
  return {
    romeo: await online(server, 'romeo@localhost/orchard'),
    juliet: await online(server, 'juliet@localhost/balcony'),
  }
}

test('a message with a longer text is refused, and reaches nobody', async () => {
  const { romeo, juliet } = await romeoAndJuliet()

  await romeo.sends("<message type='chat' to='juliet@localhost'><body>Art thou not Romeo?</body></message>")

  expect((await romeo.received()).join()).toMatch(/<policy-violation .*at most 10 characters/)
  expect(await juliet.received()).toEqual([])
})

test('a message with a shorter text arrives', async () => {
  const { romeo, juliet } = await romeoAndJuliet()

  await romeo.sends("<message type='chat' to='juliet@localhost'><body>Ay me!</body></message>")

  expect((await juliet.received()).join()).toContain('Ay me!')
})

test('the server tells clients its limit', async () => {
  const { romeo } = await romeoAndJuliet()

  const limit = await romeo.asks('get', "<limit xmlns='urn:example:text-limit'/>", 'localhost')

  expect(limit?.attrs['characters']).toBe('10')
})
