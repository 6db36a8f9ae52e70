/** What an account keeps on the server, as wide as a stanza lets it be. */
import { all, keep, many, PASSWORD, text } from '../setting.ts'
import type { Case } from '../setting.ts'

const VCARD = 'vcard-temp'
const PRIVATE = 'jabber:iq:private'
const REGISTER = 'jabber:iq:register'

const vcard = (bytes?: number): string => `<vCard xmlns='${VCARD}'>${many(() => '<a/>', bytes)}</vCard>`
const privateData = (bytes?: number): string =>
  `<query xmlns='${PRIVATE}'><w xmlns='w'>${many(() => '<a/>', bytes)}</w></query>`

export const kept: readonly Case[] = [
  {
    name: 'a vCard of 16 000 elements is stored',
    async prepare (setting) {
      const client = await setting.client('a')
      return async () => { await client.ask('set', vcard()) }
    },
  },
  {
    name: 'a vCard of 16 000 elements is asked for 16 times at once',
    async prepare (setting) {
      const client = await setting.client('a')
      await keep(client, vcard)
      return () => all(16, () => client.must('get', `<vCard xmlns='${VCARD}'/>`, setting.jid('a')))
    },
  },
  {
    name: 'a room\'s vCard of 16 000 elements is stored and asked for',
    async prepare (setting) {
      const client = await setting.client('a')
      const room = await setting.room(client, 'room')
      await keep(client, vcard, room)
      return async () => {
        await client.ask('set', vcard(), room)
        await all(16, () => client.ask('get', `<vCard xmlns='${VCARD}'/>`, room))
      }
    },
  },
  {
    name: 'a vCard of 500 properties is stored, and converted to vCard4',
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        const emails = many(number => `<EMAIL><USERID>u${round}x${number}@e</USERID></EMAIL>`, undefined, 450)
        await client.must('set', `<vCard xmlns='${VCARD}'>${emails}</vCard>`)
      }
    },
  },
  {
    name: 'a vCard with a picture of 90 000 bytes is stored, and the picture published',
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        const picture = Buffer.alloc(90_000, round + 1).toString('base64')
        await client.must('set', `<vCard xmlns='${VCARD}'><PHOTO><BINVAL>${picture}</BINVAL></PHOTO></vCard>`)
      }
    },
  },
  {
    name: 'one of 1 000 bookmarks is changed in private data, and converted',
    async prepare (setting) {
      const client = await setting.client('a')
      const list = (name: string): string => {
        const rooms = many(number => `<conference jid='r${number}@e' name='${number === 0 ? name : number}' autojoin='1'>` +
          '<nick>n</nick></conference>', undefined, setting.count(1000))
        return `<query xmlns='${PRIVATE}'><storage xmlns='storage:bookmarks'>${rooms}</storage></query>`
      }
      await client.must('set', list('first'))
      return async round => { await client.must('set', list(`round ${round}`)) }
    },
  },
  {
    name: 'private data of 16 000 elements are stored',
    async prepare (setting) {
      const client = await setting.client('a')
      return async () => { await client.ask('set', privateData()) }
    },
  },
  {
    name: 'private data of 16 000 elements are asked for 16 times at once',
    async prepare (setting) {
      const client = await setting.client('a')
      await keep(client, privateData)
      return () => all(16, () => client.must('get', `<query xmlns='${PRIVATE}'><w xmlns='w'/></query>`))
    },
  },
  {
    name: 'private data of 10 000 namespaces are stored and asked for',
    async prepare (setting) {
      const client = await setting.client('a')
      const elements = many(number => `<w xmlns='w${number}'/>`)
      return async () => {
        await client.ask('set', `<query xmlns='${PRIVATE}'>${elements}</query>`)
        await client.ask('get', `<query xmlns='${PRIVATE}'>${elements}</query>`)
      }
    },
  },
  {
    name: 'a new password of 80 000 ligatures',
    async prepare (setting) {
      const client = await setting.client('a')
      return async () => {
        await client.ask('set', `<query xmlns='${REGISTER}'><username>${setting.local('a')}</username>` +
          `<password>${many(() => 'ﷺ')}</password></query>`)
      }
    },
  },
  {
    name: 'accounts with long passwords are made 20 times at once, as large as a stranger\'s stanza may be',
    async prepare (setting) {
      const strangers = await Promise.all(Array.from({ length: 20 }, () => setting.stranger()))
      return async round => {
        await Promise.all(strangers.map((stranger, number) => stranger.ask('set', `<query xmlns='${REGISTER}'>` +
          `<username>${setting.local(`b${round}.${number}`)}</username><password>${many(() => 'ﷺ', 9_000)}</password></query>`)))
      }
    },
  },
  {
    name: 'an account with 100 sessions is removed',
    async prepare (setting) {
      return async round => {
        const [first] = await setting.devices(`a${round}`, 100)
        first?.send(`<iq type='set' id='remove'><query xmlns='${REGISTER}'><remove/></query></iq>`)
        await first?.until(/<\/stream:stream>/)
      }
    },
  },
  {
    name: 'a form of 16 000 fields for a command',
    async prepare (setting) {
      const client = await setting.client('a')
      return async () => {
        await client.ask(
          'set',
          "<command xmlns='http://jabber.org/protocol/commands' node='http://jabber.org/protocol/admin'>" +
          `<x xmlns='jabber:x:data' type='submit'>${many(() => "<field var='a'><value/></field>")}</x></command>`)
      }
    },
  },
  {
    name: 'a request of 16 000 elements that nobody knows',
    async prepare (setting) {
      const client = await setting.client('a')
      return async () => { await client.ask('set', `<query xmlns='nobody:knows'>${many(() => '<a/>')}</query>`) }
    },
  },
  {
    name: 'disco for a node with a name of 250 KB',
    async prepare (setting) {
      const client = await setting.client('a')
      return async () => {
        for (const what of ['info', 'items']) {
          await client.ask(
            'get',
            `<query xmlns='http://jabber.org/protocol/disco#${what}' node='${text()}'/>`,
            'localhost',
          )
          await client.ask('get', `<query xmlns='http://jabber.org/protocol/disco#${what}' node='${text()}'/>`)
        }
      }
    },
  },
  {
    name: 'disco for the server, and a login, 16 times at once',
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        await all(16, () => client.must('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", 'localhost'))
        const others = await Promise.all(
          Array.from({ length: 16 }, (_, number) => setting.client('a', `r${round}.${number}`)),
        )
        for (const other of others) await other.close()
      }
    },
  },
  {
    name: 'a login with a name and a password as long as a stranger\'s stanza may be',
    async prepare (setting) {
      const names = ['ﷺ', 'ü', 'x'].map(letter => many(() => letter, 4_000))
      return async () => {
        for (const name of names) {
          for (
            const [mechanism, message] of [
              ['PLAIN', `\0${name}\0${name.slice(0, 300)}`], ['PLAIN', `\0a\0${name}`],
              ['SCRAM-SHA-1', `n,,n=${name},r=${PASSWORD}`],
            ]
          ) {
            const stranger = await setting.stranger()
            const answer = stranger.until(/<(challenge|success|failure|stream:error)/)
            stranger.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='${mechanism}'>${Buffer.from(message ?? '').toString('base64')}</auth>`)
            await answer
            await stranger.cut()
          }
        }
      }
    },
  },
]
