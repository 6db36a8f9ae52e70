/** What an account keeps on the server, as wide as a stanza lets it be. */
import { keep, many, text } from '../setting.ts'
import type { Case } from '../setting.ts'

const VCARD = 'vcard-temp'

export const kept: readonly Case[] = [
  {
    name: 'a vCard of 60 000 elements is stored',
    async prepare (setting) {
      const client = await setting.client('a')
      return async () => { await client.ask('set', `<vCard xmlns='${VCARD}'>${many(() => '<a/>')}</vCard>`) }
    },
  },
  {
    name: 'a vCard of 60 000 elements is asked for 16 times at once',
    async prepare (setting) {
      const client = await setting.client('a')
      await keep(client, bytes => `<vCard xmlns='${VCARD}'>${many(() => '<a/>', bytes)}</vCard>`)
      return async () => {
        await Promise.all(Array.from({ length: 16 }, () => client.must('get', `<vCard xmlns='${VCARD}'/>`, setting.jid('a'))))
      }
    },
  },
  {
    name: 'private data of 60 000 elements are stored',
    async prepare (setting) {
      const client = await setting.client('a')
      return async () => { await client.ask('set', `<query xmlns='jabber:iq:private'><w xmlns='w'>${many(() => '<a/>')}</w></query>`) }
    },
  },
  {
    name: 'private data of 60 000 elements are asked for 16 times at once',
    async prepare (setting) {
      const client = await setting.client('a')
      await keep(client, bytes => `<query xmlns='jabber:iq:private'><w xmlns='w'>${many(() => '<a/>', bytes)}</w></query>`)
      return async () => {
        await Promise.all(Array.from({ length: 16 }, () =>
          client.must('get', "<query xmlns='jabber:iq:private'><w xmlns='w'/></query>")))
      }
    },
  },
  {
    name: 'a message of 250 KB for an account with 100 sessions',
    async prepare (setting) {
      const devices = await setting.devices('a', 100)
      for (const device of devices) device.send("<presence/><iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
      const sender = await setting.client('b')
      return async () => {
        sender.send(`<message type='chat' to='${setting.jid('a')}'><body>${text()}</body></message>`)
        await sender.ping()
      }
    },
  },
]
