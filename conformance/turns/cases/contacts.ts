/** Rosters, presence and block lists at their limits. */
import { many, text } from '../setting.ts'
import type { Case } from '../setting.ts'

const ROSTER = 'jabber:iq:roster'

export const contacts: readonly Case[] = [
  {
    name: 'a contact in 13 000 groups, which are too many, for an account with 100 sessions',
    async prepare (setting) {
      const devices = await setting.devices('a', 100)
      await Promise.all(devices.map(device => device.must('get', `<query xmlns='${ROSTER}'/>`)))
      return async round => {
        const groups = many(number => `<group>${round}.${number}</group>`)
        await devices[0]?.ask('set', `<query xmlns='${ROSTER}'><item jid='b@localhost'>${groups}</item></query>`)
      }
    },
  },
  {
    name: 'a contact in as many groups as it may be, for an account with 100 sessions',
    async prepare (setting) {
      const devices = await setting.devices('a', 100)
      await Promise.all(devices.map(device => device.must('get', `<query xmlns='${ROSTER}'/>`)))
      return async round => {
        const groups = many(number => `<group>${round}.${number}${'g'.repeat(90)}</group>`, undefined, 100)
        await devices[0]?.must('set', `<query xmlns='${ROSTER}'><item jid='b@localhost'>${groups}</item></query>`)
      }
    },
  },
  {
    name: 'a roster of 400 contacts as large as they may be is asked for',
    async prepare (setting) {
      const client = await setting.client('a')
      for (let contact = 0; contact < 400; contact++) {
        const groups = many(number => `<group>${number}${'g'.repeat(50)}</group>`, undefined, 100)
        await client.ask('set', `<query xmlns='${ROSTER}'><item jid='b${contact}@localhost'>${groups}</item></query>`)
      }
      return () => client.must('get', `<query xmlns='${ROSTER}'/>`)
    },
  },
  {
    name: 'a block of 1 000 addresses, for an account with 100 sessions',
    async prepare (setting) {
      const devices = await setting.devices('a', 100)
      await Promise.all(devices.map(device => device.must('get', "<blocklist xmlns='urn:xmpp:blocking'/>")))
      return async round => {
        const items = many(number => `<item jid='r${round}.${number}${'l'.repeat(200)}@x.example'/>`, undefined, 1000)
        await devices[0]?.ask('set', `<block xmlns='urn:xmpp:blocking'>${items}</block>`)
      }
    },
  },
  {
    name: 'a presence of 250 KB for 100 sessions of a contact',
    async prepare (setting) {
      const devices = await setting.devices('a', 100)
      for (const device of devices) device.send('<presence/>')
      const contact = await setting.client('b')
      await contact.ask('get', `<query xmlns='${ROSTER}'/>`)
      const [first] = devices
      first?.send(`<presence type='subscribed' to='${setting.jid('b')}'/>`)
      contact.send(`<presence/><presence type='subscribed' to='${setting.jid('a')}'/>`)
      first?.send(`<presence type='subscribe' to='${setting.jid('b')}'/>`)
      await first?.ping()
      return async () => {
        contact.send(`<presence><status>${text()}</status></presence>`)
        await contact.ping()
      }
    },
  },
]
