/** Copies of one stanza for many, as a room makes them. */
import { expect, test } from 'vitest'
import { writeInStream } from '../stream/framing.ts'
import { el } from '../xml/element.ts'
import { ArchiveKeys } from './archive-ids.ts'
import { Jid } from './jid.ts'
import { NS_CLIENT } from './ns.ts'
import { storedStanza } from './read-stanza.ts'
import { message } from './stanza.ts'
import type { Message } from './stanza.ts'
import { numberBy, stamp, withoutForgedIds } from './stanza-id.ts'

const ROOM = Jid.parse('coven@conference.localhost')
const WITCHES = ['crone1@localhost/desktop', "hag66@localhost/the hag's <pda>"].map(text => Jid.parse(text))

function said (): Message {
  const header = { from: ROOM.withResource('a "witch"'), to: ROOM, id: 'x<1', lang: 'en' }
  return message('groupchat', header, el('body', NS_CLIENT, {}, 'fair is foul & foul is fair'))
}

function written (stanza: Message): string {
  const parts: string[] = []
  writeInStream(stanza, { write: part => { parts.push(part.toString()) } })
  return parts.join('')
}

test('a copy is written as the stanza would be, but for the order of the addresses', () => {
  const one = said()

  for (const to of WITCHES) {
    const read = storedStanza(written(one.copyFor(to)).replace('<message', `<message xmlns='${NS_CLIENT}'`))
    expect(read.toXml()).toBe(one.withAddress(one.from, to).toXml())
  }
})

test('what copies have in common is written once, and kept once', () => {
  const one = said()
  const [a, b] = WITCHES.map(to => one.copyFor(to))

  expect(a?.commonBytes).toBe(b?.commonBytes)
  expect(a?.copy().inner).toBe(b?.copy().inner)
  expect(a?.copy().inner).not.toBe(one.inner)
  expect(a?.isSameMulticast(said().copyFor(ROOM))).toBe(false)
})

test('copies that may have come before are no copies with those that have not', () => {
  const one = said()
  const [to = ROOM] = WITCHES

  expect(one.copyFor(to).isSameMulticast(one.copyFor(ROOM))).toBe(true)
  expect(one.copyFor(to).asRedelivery().isSameMulticast(one.copyFor(to))).toBe(false)
  expect(one.asRedelivery().copyFor(to).isRedelivery).toBe(true)
})

test('the number under which a room keeps a message is known from it, and not from what others have stamped', async () => {
  const keys = new ArchiveKeys(() => Promise.resolve(Buffer.alloc(32)))
  await keys.load()
  const keeper = (jid: Jid) => ({ jid, archiveIds: keys.ofRoom(jid.toString()) })
  const strange = stamp(said(), keeper(Jid.parse('other@conference.localhost')), '9')

  expect(numberBy(strange, ROOM, keys)).toBeUndefined()
  expect(numberBy(stamp(strange, keeper(ROOM), '17').copyFor(ROOM), ROOM, keys)).toBe(17)
  expect(
    numberBy(
      stamp(strange, { ...keeper(ROOM), archiveIds: keys.ofRoom('other@conference.localhost') }, '17'),
      ROOM,
      keys,
    ),
  ).toBeUndefined()
})

test('forged numbers of the room are taken off in whatever writing, and of very many all but the first few', () => {
  const forged = (by: string) => el('stanza-id', 'urn:xmpp:sid:0', { by, id: '1' })
  const foreign = Array.from({ length: 5000 }, (_, number) => forged(`ü${number}.e`))

  const some = message(
    'groupchat',
    {},
    forged(ROOM.toString()),
    forged('COVEN@conference.localhost.'),
    forged('other.example'),
  )
  const many = message('groupchat', {}, ...foreign, forged(ROOM.toString()))

  const left = withoutForgedIds(some, ROOM)
  expect(left.children.map(child => left.tree(child).attrs['by'])).toEqual(['other.example'])
  expect(withoutForgedIds(many, ROOM).children).toHaveLength(20)
})
