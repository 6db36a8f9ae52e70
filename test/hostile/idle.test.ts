/** Connections that are dead without a word: found by a ping (XEP-0199 §4.1), and their sessions end. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Peer } from './peer.ts'
import { startTarget } from './server.ts'
import type { Target } from './server.ts'

let target: Target

beforeAll(async () => { target = await startTarget({ 'idle-seconds': 1 }) }, 60_000)
afterAll(() => target.stop())

test('who answers no ping is gone, and his contacts hear of it; who answers stays', async () => {
  const romeo = await Peer.logIn(target, 'romeo/orchard')
  const juliet = await Peer.logIn(target, 'juliet/balcony')
  void juliet.send('<presence/>')
  await juliet.expect('presence')
  void juliet.send(
    "<presence type='subscribed' to='romeo@localhost'/><presence type='subscribe' to='romeo@localhost'/>",
  )
  await juliet.expectPong()
  void romeo.send(
    "<presence/><presence type='subscribed' to='juliet@localhost'/><presence type='subscribe' to='juliet@localhost'/>",
  )
  romeo.stopReading()

  const states: (string | undefined)[] = []
  while (!states.includes('unavailable')) {
    const { name, attributes } = await juliet.next()
    if (name === 'presence' && attributes.get('from') === 'romeo@localhost/orchard') states.push(attributes.get('type'))
    if (name === 'iq' && attributes.get('type') === 'get')
      void juliet.send(`<iq type='result' id='${attributes.get('id')}'/>`)
  }
  romeo.resumeReading()

  expect(states).toEqual([undefined, 'unavailable'])
  expect(await romeo.streamError()).toBe('connection-timeout')
  await juliet.expectPong()
})
