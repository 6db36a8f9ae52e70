/** Rosters, presence and block lists at their limits. */
import { all, befriend, many, text } from '../setting.ts'
import type { Case, Setting } from '../setting.ts'
import type { Client } from '../client.ts'

const ROSTER = 'jabber:iq:roster'
const BLOCKING = 'urn:xmpp:blocking'

/** 100 sessions of one account, which are online and get pushes, and somebody who sees them and is seen. */
async function friends (setting: Setting): Promise<{ readonly devices: readonly Client[], readonly contact: Client }> {
  const devices = await setting.devices('a', 100)
  const contact = await setting.client('b')
  for (const client of [...devices, contact]) {
    await client.must('get', `<query xmlns='${ROSTER}'/>`)
    client.send('<presence/>')
  }
  const [first = contact] = devices
  await befriend(first, setting.jid('a'), contact, setting.jid('b'))
  return { devices, contact }
}

const rosters: readonly Case[] = [
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
    name: 'an account with 100 sessions, which are online, is removed',
    async prepare (setting) {
      return async round => {
        const devices = await setting.devices(`a${round}`, 100)
        for (const device of devices) device.send('<presence/>')
        await Promise.all(devices.map(device => device.ping()))
        const ended = Promise.allSettled(devices.map(device => device.until(/<\/stream:stream>/)))
        await devices[0]?.must('set', "<query xmlns='jabber:iq:register'><remove/></query>")
        await ended
      }
    },
  },
  {
    name: 'a roster of 400 contacts as large as they may be is asked for',
    async prepare (setting) {
      const client = await setting.client('a')
      await all(400, contact => {
        const groups = many(number => `<group>${number}${'g'.repeat(50)}</group>`, undefined, 100)
        return client.ask('set', `<query xmlns='${ROSTER}'><item jid='b${contact}@localhost'>${groups}</item></query>`)
      })
      return () => client.must('get', `<query xmlns='${ROSTER}'/>`)
    },
  },
  {
    name: 'a roster of 10 000 contacts is asked for 16 times at once',
    async prepare (setting) {
      const client = await setting.client('a')
      await all(
        setting.count(10_000),
        contact => client.ask('set', `<query xmlns='${ROSTER}'><item jid='b${contact}@localhost'/></query>`),
      )
      return () => all(16, () => client.must('get', `<query xmlns='${ROSTER}'/>`))
    },
  },
  {
    name: 'who has 10 000 contacts logs in',
    async prepare (setting) {
      const client = await setting.client('a')
      await all(setting.count(10_000), contact => {
        client.send(`<presence type='subscribe' to='b${contact}@localhost'/>`)
        return client.ask(
          'set',
          `<query xmlns='${ROSTER}'><item jid='b${contact}@localhost'><group>friends</group></item></query>`,
        )
      })
      await client.cut()
      return async () => {
        const again = await setting.client('a', 'again')
        again.send('<presence/>')
        await again.must('get', `<query xmlns='${ROSTER}'/>`)
        await again.close()
      }
    },
  },
]

const presences: readonly Case[] = [
  {
    name: 'a presence of 250 KB for 100 sessions of a contact',
    async prepare (setting) {
      const { contact } = await friends(setting)
      return async () => {
        contact.send(`<presence><status>${text()}</status></presence>`)
        await contact.ping()
      }
    },
  },
  {
    name: 'a presence of 16 000 elements for 100 sessions of a contact',
    async prepare (setting) {
      const { contact } = await friends(setting)
      return async () => {
        contact.send(`<presence>${many(() => '<a/>')}</presence>`)
        await contact.ping()
      }
    },
  },
  {
    name: '5 000 presences at once, for 100 sessions of a contact',
    async prepare (setting) {
      const { contact } = await friends(setting)
      return async () => {
        contact.send(many(() => '<presence/>', 60_000))
        await contact.ping()
      }
    },
  },
  {
    name: 'who comes online has a contact with 90 sessions, each with a presence as large as it may be',
    async prepare (setting) {
      const { devices } = await friends(setting)
      for (const device of devices) {
        device.send(`<presence><priority>-1</priority><status>${text()}</status></presence>`)
        await device.ping()
      }
      const again = await setting.client('b', 'again')
      return async () => {
        again.send("<presence type='unavailable'/><presence/>")
        await again.ping()
      }
    },
  },
  {
    name: 'who comes online is asked for a subscription by 70 accounts, as verbosely as they may',
    async prepare (setting) {
      const crowd = await setting.crowd('b', 70)
      const client = await setting.client('a')
      for (const one of crowd) {
        one.send(`<presence type='subscribe' to='${setting.jid('a')}'><status>${text()}</status></presence>`)
        await one.ping()
      }
      return async () => {
        client.send("<presence type='unavailable'/><presence/>")
        await client.ping()
      }
    },
  },
  {
    name: 'subscriptions to 3 000 addresses at once',
    async prepare (setting) {
      const client = await setting.client('a')
      await client.must('get', `<query xmlns='${ROSTER}'/>`)
      return async round => {
        client.send(many(number => `<presence type='subscribe' to='r${round}.${number}@localhost'/>`))
        await client.ping()
      }
    },
  },
  {
    name: 'presence for 5 000 strangers, and the end of the session',
    async prepare (setting) {
      return async round => {
        const client = await setting.client('a', `d${round}`)
        client.send(many(number => `<presence to='r${number}@localhost/x'/>`))
        await client.ping()
        await client.close()
      }
    },
  },
]

async function fillBlockList (client: Client): Promise<void> {
  for (let part = 0; part < 10; part++) {
    const items = many(number => `<item jid='r${part}.${number}@x.example'/>`, undefined, 1_000)
    await client.must('set', `<block xmlns='${BLOCKING}'>${items}</block>`)
  }
}

const blocks: readonly Case[] = [
  {
    name: 'a block of 1 000 long addresses and an unblock of all, for an account with 100 sessions',
    async prepare (setting) {
      const devices = await setting.devices('a', 100)
      await Promise.all(devices.map(device => device.must('get', `<blocklist xmlns='${BLOCKING}'/>`)))
      return async round => {
        const items = many(number => `<item jid='r${round}.${number}${'l'.repeat(200)}@x.example'/>`, undefined, 1_000)
        await devices[0]?.ask('set', `<block xmlns='${BLOCKING}'>${items}</block>`)
        await devices[0]?.ask('set', `<unblock xmlns='${BLOCKING}'/>`)
      }
    },
  },
  {
    name: 'a block list of 10 000 addresses is asked for 16 times at once',
    async prepare (setting) {
      const client = await setting.client('a')
      await fillBlockList(client)
      return () => all(16, () => client.must('get', `<blocklist xmlns='${BLOCKING}'/>`))
    },
  },
  {
    name: '2 000 messages at once for somebody who blocks 10 000 addresses',
    async prepare (setting) {
      const client = await setting.client('a')
      const sender = await setting.client('b')
      client.send('<presence/>')
      await fillBlockList(client)
      return async () => {
        sender.send(many(() => `<message type='chat' to='${setting.jid('a')}'><active xmlns='http://jabber.org/protocol/chatstates'/></message>`))
        await sender.ping()
      }
    },
  },
]

export const contacts: readonly Case[] = [...rosters, ...presences, ...blocks]
