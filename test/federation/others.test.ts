/** Prosody and ejabberd beside each other: what the harness must be able to do before a server of ours is between. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Federation, START_MS, whyNoPeers } from './federation.ts'

const missing = whyNoPeers()
if (missing !== undefined) console.warn(missing)

describe.skipIf(missing !== undefined).each(['certificate', 'dialback'] as const)('Prosody and ejabberd by %s', trust => {
  let federation: Federation

  beforeAll(async () => { federation = await Federation.start(trust, 'prosody', 'ejabberd') }, START_MS)
  afterAll(() => federation?.[Symbol.asyncDispose]())

  test('exchange messages in both directions', async () => {
    const romeo = await federation.arrive('romeo', 'prosody.example')
    const juliet = await federation.arrive('juliet', 'ejabberd.example')

    romeo.say(juliet.fullJid, 'wilt-thou')
    juliet.say(romeo.fullJid, 'i-wilt')

    const [heard, answered] = await Promise.all([
      juliet.expectSeen('message', { from: romeo.fullJid, id: 'wilt-thou' }),
      romeo.expectSeen('message', { from: juliet.fullJid, id: 'i-wilt' }),
    ])
    expect([heard, answered].map(({ attributes }) => attributes.get('type'))).toEqual(['chat', 'chat'])
  })
})
