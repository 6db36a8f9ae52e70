/** What a replay holds back. */
import { expect, test } from 'vitest'
import { el, message } from '../../src/extension/api.ts'
import type { ExtensionHost, Message, MessageArchive, SessionView } from '../../src/extension/api.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { Replay } from './replay.ts'
import { Undelivered } from './undelivered.ts'

const MEBIBYTE = 1024 * 1024

function said (body: string): Message {
  return message(
    'chat',
    { from: Jid.parse('romeo@localhost/orchard'), to: Jid.parse('juliet@localhost') },
    el('body', 'jabber:client', {}, body),
  )
}

test('stanzas that another range of the archive brings do not count against what else is held back', () => {
  const undelivered = new Undelivered('juliet@localhost', { delivered: 0, last: 1 })
  const session = { account: { jid: Jid.parse('juliet@localhost') } } as unknown as SessionView
  const replay = new Replay({} as ExtensionHost, {} as MessageArchive, session, undelivered)
  replay.add(false)
  undelivered.add(2)
  replay.keeps(said('x'.repeat(MEBIBYTE)).withArchiveNumber('2'))
  replay.add(false)

  const isKept = replay.keeps(said('in no archive'))

  expect(isKept).toBe(true)
})
