/** XEP-0060 §8.6: subscriptions to nodes of accounts that the account has to approve. */
import { expect, test } from 'vitest'
import { creates, eventIn, events, filled, items, publishes, subscribes } from '../../test/support/world/nodes.ts'
import { online } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client } from '../../test/support/world/world.ts'

const NODE = 'musings'
const HAMLET = 'hamlet@localhost'

async function elsinore () {
  const server = await world()
  const hamlet = await online(server, `${HAMLET}/elsinore`)
  const horatio = await online(server, 'horatio@localhost/court')
  await creates(hamlet, NODE, { access_model: 'authorize' }, HAMLET)
  return { server, hamlet, horatio }
}

function answer (allow: string, to = ` to='${HAMLET}'`): string {
  return `<message id='decided'${to}>${
    filled('subscribe_authorization', { node: NODE, subscriber_jid: 'horatio@localhost', allow })}</message>`
}

async function heard (client: Client): Promise<string> {
  return (await client.received()).join()
}

test('the account is asked, on all devices', async () => {
  const { server, hamlet, horatio } = await elsinore()
  const phone = await online(server, `${HAMLET}/phone`)

  const state = await subscribes(horatio, NODE, HAMLET)

  expect(state).toBe('pending')
  for (const device of [hamlet, phone]) {
    expect(await heard(device)).toMatch(/subscribe_authorization.*musings.*horatio@localhost.*pubsub#allow/)
  }
  await expect(items(horatio, NODE, HAMLET)).rejects.toThrow('not-authorized')
})

test.each(['with its address', 'without an address'])('the account allows it by a message %s', async how => {
  const { server, hamlet, horatio } = await elsinore()
  const phone = await online(server, `${HAMLET}/phone`)
  await subscribes(horatio, NODE, HAMLET)
  await phone.received()

  await hamlet.sends(how === 'with its address' ? answer('1') : answer('true', ''))
  await publishes(hamlet, NODE, 'a', 'to be')

  expect(await events(horatio)).toEqual([`${NODE} subscription subscribed`, `${NODE} a: to be`])
  expect((await phone.received()).filter(xml => eventIn(xml) === undefined).join()).toBe('')
  expect(await items(horatio, NODE, HAMLET)).toEqual(['a: to be'])
})

test('the account denies it by a message', async () => {
  const { hamlet, horatio } = await elsinore()
  await subscribes(horatio, NODE, HAMLET)

  await hamlet.sends(answer('0'))

  expect(await events(horatio)).toEqual([`${NODE} subscription none`])
  await expect(items(horatio, NODE, HAMLET)).rejects.toThrow('not-authorized')
})

test('nobody else decides, and hears that he does not', async () => {
  const { hamlet, horatio } = await elsinore()
  await subscribes(horatio, NODE, HAMLET)
  await hamlet.received()

  await horatio.sends(answer('1'))

  expect(await heard(horatio)).toMatch(/id='decided' type='error'.*forbidden/)
  expect(await heard(hamlet)).toBe('')
  await expect(items(horatio, NODE, HAMLET)).rejects.toThrow('not-authorized')
})
