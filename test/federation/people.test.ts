/** What people at two servers have of each other: presence, messages, requests, blocking, archives. */
import { expect, test } from 'vitest'
import type { Person } from './person.ts'
import { BOTH_WAYS, describeFederation, OURS } from './sides.ts'

const RECEIPTS = 'urn:xmpp:receipts'
const MARKERS = 'urn:xmpp:chat-markers:0'
const CARBONS = "<enable xmlns='urn:xmpp:carbons:2'/>"
const ARCHIVE = "<query xmlns='urn:xmpp:mam:2'/>"

describeFederation('People', federation => {
  const meet = async (here: string, there: string): Promise<readonly [Person, Person]> =>
    Promise.all([federation().arrive('romeo', here), federation().arrive('juliet', there)])

  test.each(BOTH_WAYS)('who is at %s gets presence from a contact at %s once allowed, from coming to leaving', async (here, there) => {
    const [romeo, juliet] = await meet(here, there)

    await romeo.subscribesTo(juliet)
    expect(await romeo.subscriptionOf(juliet)).toBe('to')
    expect(await juliet.subscriptionOf(romeo)).toBe('from')
    juliet.send('<presence><show>away</show><status>at the ball</status></presence>')
    await romeo.expectSeen('presence', { from: juliet.fullJid }, /away.*at the ball/)
    juliet.leave()
    await romeo.expectSeen('presence', { from: juliet.fullJid, type: 'unavailable' })
  })

  test.each(BOTH_WAYS)('who comes online at %s hears at once that a contact at %s is there', async (here, there) => {
    const [romeo, juliet] = await meet(here, there)
    await romeo.subscribesTo(juliet)

    const device = await federation().logIn(romeo.jid, 'elsewhere')

    await device.expectSeen('presence', { from: juliet.fullJid })
  })

  test.each(BOTH_WAYS)('a subscription between %s and %s ends from both of its ends', async (here, there) => {
    const [romeo, juliet] = await meet(here, there)
    await romeo.subscribesTo(juliet)
    await juliet.subscribesTo(romeo)
    expect(await romeo.subscriptionOf(juliet)).toBe('both')

    romeo.send(`<presence type='unsubscribe' to='${juliet.jid}'/>`)
    await juliet.expectSeen('presence', { type: 'unsubscribe', from: romeo.jid })
    expect(await juliet.subscriptionOf(romeo)).toBe('to')
    romeo.send(`<presence type='unsubscribed' to='${juliet.jid}'/>`)
    await juliet.expectSeen('presence', { type: 'unsubscribed', from: romeo.jid })

    expect(await romeo.subscriptionOf(juliet)).toBe('none')
    await juliet.expectSeen('presence', { type: 'unavailable', from: romeo.fullJid })
  })

  test.each(BOTH_WAYS)('a request from %s that is denied at %s is known to be', async (here, there) => {
    const [romeo, juliet] = await meet(here, there)

    romeo.send(`<presence type='subscribe' to='${juliet.jid}'/>`)
    await juliet.expectSeen('presence', { type: 'subscribe', from: romeo.jid })
    juliet.send(`<presence type='unsubscribed' to='${romeo.jid}'/>`)

    await romeo.expectSeen('presence', { type: 'unsubscribed', from: juliet.jid })
    expect(await romeo.subscriptionOf(juliet)).toBe('none')
  })

  test.each(BOTH_WAYS.filter(([, to]) => to === OURS))(
    'who is at %s is let in at %s without being asked about by whoever has allowed it before', async (here, there) => {
      const [romeo, juliet] = await meet(here, there)
      juliet.send(`<presence type='subscribed' to='${romeo.jid}'/>`)
      await juliet.ask(juliet.jid, "<query xmlns='jabber:iq:roster'/>")

      romeo.send(`<presence type='subscribe' to='${juliet.jid}'/>`)

      await romeo.expectSeen('presence', { type: 'subscribed', from: juliet.jid })
      await romeo.expectSeen('presence', { from: juliet.fullJid })
      expect(juliet.hasSeen(/type='subscribe'/)).toBe(false)
    })

  test.each(BOTH_WAYS)('presence sent from %s to one address at %s comes, and its end when the sender goes', async (here, there) => {
    const [romeo, juliet] = await meet(here, there)

    romeo.send(`<presence to='${juliet.fullJid}'><status>only you</status></presence>`)
    await juliet.expectSeen('presence', { from: romeo.fullJid }, /only you/)
    romeo.leave()

    await juliet.expectSeen('presence', { from: romeo.fullJid, type: 'unavailable' })
  })

  test.each(BOTH_WAYS)('messages from %s to %s come in order, to the account and to the device', async (here, there) => {
    const [romeo, juliet] = await meet(here, there)
    const ids = Array.from({ length: 100 }, (_, index) => `message-${index}`)

    for (const [index, id] of ids.entries()) romeo.say(index % 2 === 0 ? juliet.jid : juliet.fullJid, id)

    await juliet.expectSeen('message', { id: 'message-99', from: romeo.fullJid })
    expect(juliet.messageIds).toEqual(ids)
  })

  test.each(BOTH_WAYS.filter(([, to]) => to === OURS))(
    'a message that comes twice from %s, since it was not confirmed, is one at %s', async (here, there) => {
      const [romeo, juliet] = await meet(here, there)
      const device = await federation().logIn(juliet.jid, 'elsewhere')

      for (const id of ['parting', 'parting', 'sorrow']) {
        romeo.say(juliet.jid, id, `<origin-id xmlns='urn:xmpp:sid:0' id='${id}'/>`)
      }

      for (const person of [juliet, device]) {
        await person.expectSeen('message', { id: 'sorrow' })
        expect(person.messageIds).toEqual(['parting', 'sorrow'])
      }
    })

  test.each(BOTH_WAYS.filter(([from]) => from === OURS))(
    'a message that a client at %s says again, since it was not acknowledged, is sent to %s once', async (here, there) => {
      const [romeo, juliet] = await meet(here, there)

      for (const id of ['parting', 'parting', 'sorrow']) {
        romeo.say(juliet.jid, id, `<origin-id xmlns='urn:xmpp:sid:0' id='${id}'/>`)
      }

      await juliet.expectSeen('message', { id: 'sorrow' })
      expect(juliet.messageIds).toEqual(['parting', 'sorrow'])
    })

  test.each(BOTH_WAYS)('a message from %s is received and read at %s, and its sender is told so', async (here, there) => {
    const [romeo, juliet] = await meet(here, there)

    romeo.say(juliet.fullJid, 'soft', `<request xmlns='${RECEIPTS}'/><markable xmlns='${MARKERS}'/>`)
    await juliet.expectSeen('message', { id: 'soft' }, /<request .*<markable /)
    juliet.send(`<message to='${romeo.fullJid}' id='r'><received xmlns='${RECEIPTS}' id='soft'/></message>`)
    juliet.send(`<message to='${romeo.fullJid}' id='d'><displayed xmlns='${MARKERS}' id='soft'/></message>`)

    await romeo.expectSeen('message', { from: juliet.fullJid }, /<received [^>]*id='soft'/)
    await romeo.expectSeen('message', { from: juliet.fullJid }, /<displayed [^>]*id='soft'/)
  })

  test.each(BOTH_WAYS)('a message from %s waits at %s for who is not there', async (here, there) => {
    const [romeo, juliet] = await meet(here, there)
    await romeo.subscribesTo(juliet)
    juliet.leave()
    await romeo.expectSeen('presence', { from: juliet.fullJid, type: 'unavailable' })

    romeo.say(juliet.jid, 'good-night')
    romeo.say(juliet.jid, 'good-morrow')
    await romeo.ask(there, "<ping xmlns='urn:xmpp:ping'/>")
    const device = await federation().logIn(juliet.jid, 'later')

    await device.expectSeen('message', { id: 'good-night', from: romeo.fullJid })
    await device.expectSeen('message', { id: 'good-morrow', from: romeo.fullJid })
  })

  test.each(BOTH_WAYS)('who is at %s and writes to nobody at %s is told so', async (here, there) => {
    const romeo = await federation().arrive('romeo', here)

    romeo.say(`nobody@${there}`, 'rosaline')

    await romeo.expectSeen('message', { type: 'error', id: 'rosaline' }, /<service-unavailable /)
  })

  test.each(BOTH_WAYS)('a server, from %s to %s, answers what it is asked', async (here, there) => {
    const romeo = await federation().arrive('romeo', here)

    expect(await romeo.ask(there, "<ping xmlns='urn:xmpp:ping'/>")).toMatch(/type='result'/)
    expect(await romeo.ask(there, "<query xmlns='jabber:iq:version'/>")).toMatch(/<name>/)
    expect(await romeo.ask(there, "<query xmlns='http://jabber.org/protocol/disco#info'/>")).toMatch(/category='server'/)
    expect(await romeo.ask(there, "<query xmlns='http://jabber.org/protocol/disco#items'/>"))
      .toContain(`jid='conference.${there}'`)
    expect(await romeo.ask(there, "<query xmlns='urn:example:unknown'/>")).toMatch(/<(service-unavailable|feature-not-implemented) /)
  })

  test.each(BOTH_WAYS)('requests from a device at %s reach one at %s, and the answers come back', async (here, there) => {
    const [romeo, juliet] = await meet(here, there)
    juliet.send(`<presence to='${romeo.fullJid}'/>`) // who may not know that it is there may not ask it
    await romeo.expectSeen('presence', { from: juliet.fullJid })

    const answer = romeo.ask(juliet.fullJid, "<query xmlns='urn:example:question'/>")
    const asked = await juliet.expectSeen('iq', { type: 'get', from: romeo.fullJid }, /urn:example:question/)
    juliet.send(`<iq type='result' id='${asked.attributes.get('id')}' to='${romeo.fullJid}'><query xmlns='urn:example:answer'/></iq>`)

    expect(await answer).toMatch(/type='result'.*urn:example:answer/)
    expect(await romeo.ask(`${juliet.jid}/nowhere`, "<query xmlns='urn:example:question'/>")).toMatch(/<service-unavailable /)
  })

  test.each(BOTH_WAYS)('who is at %s reads the vCard of somebody at %s', async (here, there) => {
    const [romeo, juliet] = await meet(here, there)
    await juliet.ask(juliet.jid, "<vCard xmlns='vcard-temp'><FN>Juliet ☀ Capulet</FN></vCard>", 'set')

    expect(await romeo.ask(juliet.jid, "<vCard xmlns='vcard-temp'/>")).toContain('Juliet ☀ Capulet')
  })

  test.each(BOTH_WAYS)('somebody at %s whom somebody at %s has blocked is not heard, until unblocked', async (here, there) => {
    const [romeo, juliet] = await meet(here, there)
    await juliet.ask(juliet.jid, `<block xmlns='urn:xmpp:blocking'><item jid='${romeo.jid}'/></block>`, 'set')

    romeo.say(juliet.fullJid, 'unheard')
    await romeo.ask(there, "<ping xmlns='urn:xmpp:ping'/>")
    await juliet.ask(juliet.jid, `<unblock xmlns='urn:xmpp:blocking'><item jid='${romeo.jid}'/></unblock>`, 'set')
    romeo.say(juliet.fullJid, 'heard')

    await juliet.expectSeen('message', { id: 'heard' })
    expect(juliet.hasSeen(/unheard/)).toBe(false)
  })

  test.each(BOTH_WAYS)('what is said between %s and %s is in both archives, and on all devices', async (here, there) => {
    const [romeo, juliet] = await meet(here, there)
    const devices = await Promise.all([romeo, juliet].map(person => federation().logIn(person.jid, 'elsewhere')))
    await Promise.all([romeo, juliet, ...devices].map(device => device.ask(device.jid, CARBONS, 'set')))

    romeo.say(juliet.fullJid, 'with-loves-light-wings')
    await Promise.all([
      juliet.expectSeen('message', { id: 'with-loves-light-wings', from: romeo.fullJid }),
      devices[0]?.expectSeen('message', {}, /<sent .*with-loves-light-wings/),
      devices[1]?.expectSeen('message', {}, /<received .*with-loves-light-wings/),
    ])

    for (const person of [romeo, juliet]) {
      expect(await person.ask(person.jid, ARCHIVE, 'set')).toMatch(/type='result'/)
      await person.expectSeen('message', {}, /urn:xmpp:mam:2.*with-loves-light-wings/)
    }
  })
})
