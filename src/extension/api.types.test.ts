/** What the types of the extension API forbid: each line below that compiles without its error is a promise broken. */
import { execFile } from 'node:child_process'
import { basename } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { el, extension, message, StanzaError } from './api.ts'
import type { Extension, ExtensionHost, Message, OccupantView, RoomView, SessionView, Stanza } from './api.ts'

/** The compiler reads the whole tree, on a machine that may have other things to do. */
const TYPE_CHECK_MS = 120_000

/** Never run: it is the compiler that reads it. */
export function misuse (host: ExtensionHost, session: SessionView, received: Message, stanza: Stanza): void {
  // @ts-expect-error a guard can't change a stanza
  host.on('send', 'guard', passing => passing)
  // @ts-expect-error a guard can't wait
  host.on('receive', 'guard', () => Promise.resolve(new StanzaError('forbidden')))
  // @ts-expect-error a guard refuses with an error, not with yes or no
  host.on('receive', 'guard', () => false)
  // @ts-expect-error a guard is given nothing to act upon
  host.on('send', 'guard', (_stanza, { sessions }) => { sessions[0]?.setFlag('x', true) })
  // @ts-expect-error nor is that of what an account receives
  host.on('receive', 'guard', (passing, account) => { account.session('balcony')?.deliver(passing) })
  // @ts-expect-error a redirect says which sessions get it, and not for how long they wait
  host.on('receive', 'redirect', async (_message, { sessions }) => sessions)
  // @ts-expect-error a rewrite gives a stanza
  host.on('send', 'rewrite', () => undefined)
  // @ts-expect-error a rewrite can't wait
  host.on('receive', 'rewrite', passing => Promise.resolve(passing))
  // @ts-expect-error what all in a room see is a message, whatever was said
  host.on('room', 'rewrite', () => stanza)
  // @ts-expect-error what an occupant shows is presence
  host.on('room', 'present', () => received)
  // @ts-expect-error a room's guards know rooms only
  host.on('room', 'guard', (_message, room, sender) => { room.add(sender) })
  // @ts-expect-error who asks a room has a session there, and none of an account's
  host.iq({ type: 'get', to: ['room'], name: 'x', ns: 'y' }, (_request, visitor) => { visitor.setFlag('x', true) })
  // @ts-expect-error hold answers at once
  host.on('write', 'hold', async () => true)
  // @ts-expect-error there is no such stage
  host.on('write', 'guard', () => undefined)
  // @ts-expect-error there is no such point
  host.on('leave', 'guard', () => undefined)
  // @ts-expect-error a stanza never changes
  received.to = undefined
  // @ts-expect-error nor does its list of payloads
  received.children.push({ name: 'body', ns: 'jabber:client', start: 0, end: 0 })
  // @ts-expect-error nor a tree of it
  el('body', 'jabber:client').attrs['lang'] = 'en'
  // @ts-expect-error a message has none of the types of an iq
  message('result', {})
  // @ts-expect-error a condition is one of RFC 6120's
  host.iq({ type: 'get', to: ['server'], name: 'x', ns: 'y' }, () => { throw new StanzaError('nope') })
  // @ts-expect-error a handler answers with a payload, not with a stanza
  host.iq({ type: 'get', to: ['server'], name: 'x', ns: 'y' }, () => stanza)
  // @ts-expect-error who asks for another's account may have no session here
  host.iq({ type: 'get', to: ['account'], name: 'x', ns: 'y' }, (_request, sender) => { sender.setFlag('x', true) })
  // @ts-expect-error who has not logged in has none either
  host.iq({ type: 'get', to: ['stream'], name: 'x', ns: 'y' }, (_request, peer) => { peer.setFlag('x', true) })
  // @ts-expect-error a result is no request
  host.iq({ type: 'result', to: ['server'], name: 'x', ns: 'y' }, () => {})
  // @ts-expect-error others see a session's flags, and don't set them
  host.accounts.sessionsOf(session.jid)[0]?.flags.add('x')
  // @ts-expect-error an event that tells nothing
  host.when('session.moved', () => {})
}

/** Nor run: what the core knows of sessions, accounts, rooms and occupants is the core's to change. */
export function reachIn (session: SessionView, room: RoomView, occupant: OccupantView): void {
  // @ts-expect-error a session's priority is what its presence says
  session.priority = 1
  // @ts-expect-error whom it sent presence is presence's to know
  session.directed?.delete('romeo@localhost')
  // @ts-expect-error a count of the core's
  session.smInbound = { id: 'x', taken: 0 }
  // @ts-expect-error sessions come and go by binding
  session.account.sessions.push(session)
  // @ts-expect-error an account's data is reached by the slot that was made for it
  session.account.setData(Symbol('x'), 1)
  // @ts-expect-error who is what in a room is changed by the rules for it
  room.affiliations.set({ jid: session.jid, affiliation: 'owner' })
  // @ts-expect-error who is in comes and goes by presence
  room.occupants.delete('romeo')
  // @ts-expect-error a room is set up by its owner
  room.isLocked = false
  // @ts-expect-error a room's send queue is used by way of `rooms.sendInOrder`
  room.sendQueue.send([], () => 0)
  // @ts-expect-error a role is given by moderators
  occupant.role = 'moderator'
  // @ts-expect-error set by `rooms.setWrittenAt`, which tells the room's records
  occupant.writtenAt = 0
}

/** Nor run: the options have the schema's type. */
export const configured: Extension = extension({
  name: 'configured', xeps: [], config: z.strictObject({ size: z.number() }),
  // @ts-expect-error the schema says nothing of a colour
  setup (_host, { colour }) { return colour },
})

test('the types of the API forbid what an extension must not do', async () => {
  const output = await new Promise<string>(resolve => {
    execFile('node_modules/.bin/tsc', ['--noEmit', '--pretty', 'false'], (_error, stdout) => { resolve(stdout) })
  })

  expect(output.split('\n').filter(line => line.includes(basename(import.meta.filename)))).toEqual([])
}, TYPE_CHECK_MS)
