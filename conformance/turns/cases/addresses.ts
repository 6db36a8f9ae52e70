/** Addresses of internationalised domains, which have to be prepared (RFC 7622), as many as a stanza holds. */
import { form, many } from '../setting.ts'
import type { Case } from '../setting.ts'

const MAM = 'urn:xmpp:mam:2'

/** A message full of payloads, each with another address. */
function withPayloads (name: string, payload: (address: string) => string): Case {
  return {
    name,
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        const payloads = many(number => payload(`ü${round}x${number}.e`))
        client.send(`<message type='chat' to='${setting.jid('a')}'><body>1</body>${payloads}</message>`)
        await client.ping()
      }
    },
  }
}

export const addresses: readonly Case[] = [
  {
    name: 'an unblock of 12 000 internationalised addresses',
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        await client.ask(
          'set',
          `<unblock xmlns='urn:xmpp:blocking'>${many(number => `<item jid='ü${round}x${number}.e'/>`)}</unblock>`,
        )
      }
    },
  },
  withPayloads('a message with 4 500 stanza-ids by internationalised addresses', address =>
    `<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='${address}'/>`),
  withPayloads('a message with delays from 4 500 internationalised addresses', address =>
    `<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z' from='${address}'/>`),
  {
    name: 'messages to 2 000 internationalised addresses at once',
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        client.send(many(number => `<message to='u@ü${round}x${number}.example'><body>1</body></message>`))
        await client.ping()
      }
    },
  },
  {
    name: 'presence to 2 000 addresses of the longest domains at once',
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        const label = (number: number): string => `xn--${`${round}x${number}`.padEnd(50, 'a')}`
        client.send(
          many(number =>
            `<presence to='u@${Array.from({ length: 15 }, (_, part) => label(number * 15 + part)).join('.')}'/>`
          ),
        )
        await client.ping()
      }
    },
  },
  {
    name: 'archive preferences with internationalised addresses',
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        for (const most of [1_000, Infinity]) {
          const jids = many(number => `<jid>u@ü${round}x${number}.e</jid>`, undefined, most)
          await client.ask('set', `<prefs xmlns='${MAM}' default='always'><always>${jids}</always><never/></prefs>`)
        }
      }
    },
  },
  {
    name: 'an archive query with internationalised addresses in 5 000 fields',
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        const fields = many(number => `<value>ü${round}x${number}.e</value>`)
        await client.ask('set', `<query xmlns='${MAM}'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>` +
          `<value>${MAM}</value></field><field var='with'>${fields}</field></x></query>`)
      }
    },
  },
  {
    name: 'a roster item, a vCard and disco for addresses that have to be prepared, 16 times at once',
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        await Promise.all(Array.from({ length: 16 }, (_, number) => {
          const jid = `${many(part => `ü${round}${number}${part}`, 500)}@ü${round}x${number}.example`
          return client.ask('set', `<query xmlns='jabber:iq:roster'><item jid='${jid}'/></query>`)
        }))
      }
    },
  },
  {
    name: 'a room\'s form with 10 000 internationalised addresses',
    async prepare (setting) {
      const client = await setting.client('a')
      const room = await setting.room(client, 'room')
      return async round => {
        const values = many(number => `ü${round}x${number}.e `).trim().split(' ')
        await client.ask('set', "<query xmlns='http://jabber.org/protocol/muc#owner'>" +
          `${form('http://jabber.org/protocol/muc#roomconfig', { 'muc#roomconfig_roomadmins': values.slice(0, 6_000) })}</query>`, room)
      }
    },
  },
]
