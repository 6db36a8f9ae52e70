/** Rooms whose occupants are at another server (XEP-0045, XEP-0249, XEP-0313). */
import { expect, test } from 'vitest'
import type { Person } from './person.ts'
import {
  affiliates, enter, enterInVain, leave, makeRoom, nickOf, sayTo, setAffiliation, type Options,
} from './room.ts'
import { BOTH_WAYS, describeFederation } from './sides.ts'

const MUC_USER = 'http://jabber.org/protocol/muc#user'
const MEMBERS_ONLY = { 'muc#roomconfig_membersonly': '1' }

describeFederation('Rooms', federation => {
  /** An owner at one server, with a room there, and a visitor at another. */
  const prepare = async (
    from: string, to: string, options?: Options,
  ): Promise<{ owner: Person, visitor: Person, room: string }> => {
    const [visitor, owner] = await Promise.all([federation().arrive('romeo', from), federation().arrive('juliet', to)])
    const room = `orchard-of-${nickOf(owner)}@conference.${to}`
    await makeRoom(owner, room, options)
    return { owner, visitor, room }
  }

  test.each(BOTH_WAYS)('who is at %s enters one at %s, is seen, hears and is heard, and leaves', async (from, to) => {
    const { owner, visitor, room } = await prepare(from, to)

    await enter(visitor, room)
    await owner.expectSeen('presence', { from: `${room}/${nickOf(visitor)}` })
    await visitor.expectSeen('presence', { from: `${room}/${nickOf(owner)}` })
    sayTo(visitor, room, 'but-soft')
    sayTo(owner, room, 'ay-me')
    for (const person of [owner, visitor]) {
      await person.expectSeen('message', { type: 'groupchat', from: `${room}/${nickOf(visitor)}` }, /but-soft/)
      await person.expectSeen('message', { type: 'groupchat', from: `${room}/${nickOf(owner)}` }, /ay-me/)
    }
    await leave(visitor, room)
    await owner.expectSeen('presence', { from: `${room}/${nickOf(visitor)}`, type: 'unavailable' })
  })

  test.each(BOTH_WAYS)('who is at %s and goes offline leaves one at %s', async (from, to) => {
    const { owner, visitor, room } = await prepare(from, to)
    await enter(visitor, room)

    visitor.leave()

    await owner.expectSeen('presence', { from: `${room}/${nickOf(visitor)}`, type: 'unavailable' })
  })

  test.each(BOTH_WAYS)('messages from %s to one at %s come to all in the order in which they were said', async (from, to) => {
    const { owner, visitor, room } = await prepare(from, to)
    await enter(visitor, room)
    const ids = Array.from({ length: 20 }, (_, index) => `said-${index}`)

    for (const id of ids) sayTo(visitor, room, id)

    for (const person of [owner, visitor]) {
      await person.expectSeen('message', { type: 'groupchat' }, /said-19/)
      expect(person.messageIds.filter(id => id?.startsWith('said-'))).toEqual(ids)
    }
  })

  test.each(BOTH_WAYS)('who is at %s has private messages, a subject and a request with those in one at %s', async (from, to) => {
    const { owner, visitor, room } = await prepare(from, to)
    await enter(visitor, room)

    visitor.say(`${room}/${nickOf(owner)}`, 'psst')
    await owner.expectSeen('message', { type: 'chat', from: `${room}/${nickOf(visitor)}` }, /psst/)
    owner.send(`<message type='groupchat' to='${room}'><subject>Wherefore</subject></message>`)
    await visitor.expectSeen('message', { type: 'groupchat', from: `${room}/${nickOf(owner)}` }, /<subject>Wherefore</)
    const answer = visitor.ask(`${room}/${nickOf(owner)}`, "<query xmlns='urn:example:question'/>")
    const asked = await owner.expectSeen('iq', { type: 'get' }, /urn:example:question/)
    owner.send(`<iq type='result' id='${asked.attributes.get('id')}' to='${asked.attributes.get('from')}'/>`)

    expect(await answer).toMatch(/type='result'/)
  })

  test.each(BOTH_WAYS)('who is at %s learns what one at %s is before entering', async (from, to) => {
    const { visitor, room } = await prepare(from, to, { 'muc#roomconfig_publicroom': '1' })

    expect(await visitor.ask(room, "<query xmlns='http://jabber.org/protocol/disco#info'/>")).toMatch(/category='conference'/)
    expect(await visitor.ask(`conference.${to}`, "<query xmlns='http://jabber.org/protocol/disco#items'/>")).toContain(room)
  })

  test.each(BOTH_WAYS)('who is at %s is invited into a room of members at %s, and is let in then', async (from, to) => {
    const { owner, visitor, room } = await prepare(from, to, MEMBERS_ONLY)
    const refused = await enterInVain(visitor, room)

    owner.send(`<message to='${room}'><x xmlns='${MUC_USER}'><invite to='${visitor.jid}'><reason>come</reason></invite></x></message>`)

    const invitation = await visitor.expectSeen('message', { from: room }, /<invite .*<reason>come</)
    expect(refused.children.find(({ name }) => name === 'error')?.children[0]?.name).toBe('registration-required')
    expect(invitation.attributes.get('to')).toBe(visitor.jid)
    await enter(visitor, room)
    await owner.expectSeen('presence', { from: `${room}/${nickOf(visitor)}` }, /affiliation='member'/)
  })

  test.each(BOTH_WAYS)('who is at %s declines an invitation into one at %s, and is heard', async (from, to) => {
    const { owner, visitor, room } = await prepare(from, to)

    owner.send(`<message to='${room}'><x xmlns='${MUC_USER}'><invite to='${visitor.jid}'/></x></message>`)
    await visitor.expectSeen('message', { from: room }, /<invite /)
    visitor.send(`<message to='${room}'><x xmlns='${MUC_USER}'><decline to='${owner.jid}'><reason>busy</reason></decline></x></message>`)

    await owner.expectSeen('message', { from: room }, /<decline [^>]*from='romeo\d+@.*<reason>busy</)
  })

  test.each(BOTH_WAYS)('who is at %s has the affiliation that an owner gives in one at %s', async (from, to) => {
    const { owner, visitor, room } = await prepare(from, to)

    expect(await setAffiliation(owner, room, visitor.jid, 'admin')).toMatch(/type='result'/)
    expect(await affiliates(owner, room, 'admin')).toContain(`jid='${visitor.jid}'`)
    await enter(visitor, room)
    await owner.expectSeen('presence', { from: `${room}/${nickOf(visitor)}` }, /affiliation='admin'/)
    expect(await setAffiliation(owner, room, visitor.jid, 'outcast')).toMatch(/type='result'/)
    await visitor.expectSeen('presence', { from: `${room}/${nickOf(visitor)}`, type: 'unavailable' }, /<status code='301'\/>/)

    const refused = await enterInVain(visitor, room)
    expect(refused.children.find(({ name }) => name === 'error')?.children[0]?.name).toBe('forbidden')
  })

  test.each(BOTH_WAYS)('who is at %s reads the archive of one at %s', async (from, to) => {
    const { owner, visitor, room } = await prepare(from, to)
    await enter(visitor, room)
    sayTo(owner, room, 'kept-for-later')
    await visitor.expectSeen('message', { type: 'groupchat' }, /kept-for-later/)

    const answer = await visitor.ask(room, "<query xmlns='urn:xmpp:mam:2' queryid='q'/>", 'set')

    expect(answer).toMatch(/type='result'.*<fin /)
    await visitor.expectSeen('message', { from: room }, /<result [^>]*queryid='q'.*kept-for-later/)
  })
})
