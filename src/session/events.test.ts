import { expect, test } from 'vitest'
import { openLog } from '../log.ts'
import type { Events } from '../extension/points.ts'
import { EventTable } from './events.ts'
import { Jid } from '../xmpp/jid.ts'

test('a handler that is removed twice takes no other along', async () => {
  const events = new EventTable(await openLog({ level: 'silent' }))
  const calls: string[] = []
  const handler = (name: string): Events['account.removed'] => async () => { calls.push(name) }
  const remove = events.add('account.removed', handler('first'))
  events.add('account.removed', handler('second'))

  remove()
  remove()
  await events.emitAll('account.removed', Jid.parse('romeo@localhost'))

  expect(calls).toEqual(['second'])
})
