/** What a session has heard of a room, when the room's home has died and another says it again. */
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { StageTable } from '../extension/stages.ts'
import { openLog } from '../log.ts'
import { ArchiveKeys } from '../xmpp/archive-ids.ts'
import { delay } from '../xmpp/forward.ts'
import { Jid } from '../xmpp/jid.ts'
import { message } from '../xmpp/stanza.ts'
import type { Message } from '../xmpp/stanza.ts'
import { stamp } from '../xmpp/stanza-id.ts'
import { Account } from './account.ts'
import { Session } from './session.ts'

const ROOM = Jid.parse('coven@conference.localhost')

const keys = new ArchiveKeys(() => Promise.resolve(Buffer.alloc(32)))

let session: Session

beforeAll(() => keys.load())

beforeEach(async () => {
  const jid = Jid.parse('crone1@localhost/desktop')
  session = new Session(jid, new Account(jid.bare), new StageTable(await openLog({ level: 'silent' })))
})

function said (number: number, room = ROOM): Message {
  const keeper = { jid: room, archiveIds: keys.ofRoom(room.toString()) }
  return stamp(message('groupchat', { from: room.withResource('firstwitch') }), keeper, String(number))
}

test('what comes again is new where it was not heard before', () => {
  expect([1, 2].map(number => session.accept(said(number), keys))).toEqual([true, true])

  expect([1, 2, 3, 3].map(number => session.accept(said(number).asRedelivery(), keys))).toEqual([
    false,
    false,
    true,
    false,
  ])
})

test('what comes again behind later ones is new where it was not heard before', () => {
  expect([1, 4].map(number => session.accept(said(number), keys))).toEqual([true, true])

  expect([2, 3, 2, 3, 4, 1].map(number => session.accept(said(number).asRedelivery(), keys))).toEqual([
    true, true, false, false, false, false,
  ])
})

test('each room counts for itself', () => {
  session.accept(said(5), keys)

  expect(session.accept(said(1, Jid.parse('heath@conference.localhost')).asRedelivery(), keys)).toBe(true)
})

test('what is not said to come again is heard, whatever its number', () => {
  session.accept(said(5), keys)

  expect(session.accept(said(4), keys)).toBe(true)
  expect(session.accept(said(5).asRedelivery(), keys)).toBe(false)
})

test('the history that a newcomer is shown is not what was said now', () => {
  expect(session.accept(said(9).withPayload(delay(0), delay(0, ROOM.toString())), keys)).toBe(true)

  expect(session.accept(said(8).asRedelivery(), keys)).toBe(true)
})

test.each([
  ['nobody', undefined], ['the sender', 'crone1@localhost'], ['an occupant', `${ROOM}/firstwitch`],
  ['another room', 'heath@conference.localhost'],
])(
  'what somebody says now is heard once, though by its own account %s has held it up', (_, by) => {
    const late = said(9).withPayload(delay(0, by))

    expect(session.accept(late, keys)).toBe(true)
    expect(session.accept(late.asRedelivery(), keys)).toBe(false)
  })

test('what is known of rooms does not grow without end', () => {
  for (let number = 0; number < 1100; number++)
    session.accept(said(1, Jid.parse(`room${number}@conference.localhost`)), keys)

  expect(session.heard?.size).toBe(1000)
})
