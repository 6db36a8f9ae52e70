/**
 * A namespace is declared where it changes (XML-NAMES §6.2): whoever scans text finds `<item`, and answers stay small.
 */
import { expect, test } from 'vitest'
import { blocking } from '../../extensions/blocking/index.ts'
import { vcard } from '../../extensions/vcard/index.ts'
import { enters } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'

/** The tags that declare the default namespace which they have anyway, in a stanza as it stands on a stream. */
function repeats (xml: string): readonly string[] {
  const open = ['jabber:client']
  const found: string[] = []
  for (const [tag, end] of xml.matchAll(/<\/[^>]*>|<[^>]*?(\/?)>/g)) {
    if (tag.startsWith('</')) open.pop()
    else {
      const outer = open.at(-1) ?? ''
      const own = / xmlns='([^']*)'/.exec(tag)?.[1]
      if (own === outer) found.push(tag)
      if (end === '') open.push(own ?? outer)
    }
  }
  return found
}

const REQUESTS = [
  "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
  "<iq type='get' id='2' to='localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
  "<iq type='get' id='3' to='localhost'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
  "<iq type='get' id='4' to='localhost'><query xmlns='nobody:knows'/></iq>",
  "<iq type='get' id='5'><blocklist xmlns='urn:xmpp:blocking'/></iq>",
  "<iq type='get' id='6'><vCard xmlns='vcard-temp'/></iq>",
  "<iq type='set' id='7'><query xmlns='jabber:iq:roster'><item jid='nurse@localhost' name='Nurse'><group>House</group></item></query></iq>",
  "<iq type='get' id='8' to='coven@conference.localhost'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>",
  "<iq type='set' id='9' to='coven@conference.localhost'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>",
  "<message to='coven@conference.localhost' type='groupchat'><subject>Fire Burn</subject></message>",
  "<iq type='get' id='10' to='coven@conference.localhost'><query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='owner'/></query></iq>",
  "<iq type='set' id='11' to='coven@conference.localhost'><query xmlns='http://jabber.org/protocol/muc#owner'><destroy><reason>gone</reason></destroy></query></iq>",
]

test('nothing that the server writes repeats the namespace that it stands in', async () => {
  const server = await world(blocking, vcard)
  const juliet = await server.client('juliet@localhost/balcony')
  await juliet.asks(
    'set',
    "<query xmlns='jabber:iq:roster'><item jid='romeo@localhost' name='Romeo'><group>Friends</group></item></query>",
  )
  await juliet.asks('set', "<block xmlns='urn:xmpp:blocking'><item jid='tybalt@localhost'/></block>")
  await juliet.asks('set', "<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>")
  await juliet.comesOnline()
  await enters(juliet, 'firstwitch')

  for (const request of REQUESTS) await juliet.sends(request)
  const heard = await juliet.received()

  expect(heard.length).toBeGreaterThan(REQUESTS.length)
  expect(heard.flatMap(repeats)).toEqual([])
})
