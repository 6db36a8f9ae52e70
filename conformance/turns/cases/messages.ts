/** Messages: what they may hold, whom they may reach, and what is kept of them. */
import type { Client } from '../client.ts'
import { all, command, form, many, text } from '../setting.ts'
import type { Case, Setting } from '../setting.ts'

const MAM = 'urn:xmpp:mam:2'

/** 100 sessions of one account that get copies of everything, and somebody who writes to it. */
async function conversation (
  setting: Setting,
): Promise<{ readonly devices: readonly Client[], readonly sender: Client }> {
  const devices = await setting.devices('a', 100)
  for (const device of devices)
    device.send("<presence/><iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
  return { devices, sender: await setting.client('b') }
}

function chat (to: string, inside: string): string {
  return `<message type='chat' to='${to}'><body>1</body>${inside}</message>`
}

/** A message with this inside for an account with 100 sessions, and one by it. */
function forMany (name: string, inside: () => string): Case {
  return {
    name: `${name}, for an account with 100 sessions`,
    async prepare (setting) {
      const { devices: [first], sender } = await conversation(setting)
      return async () => {
        sender.send(chat(setting.jid('a'), inside()))
        first?.send(chat(setting.jid('b'), inside()))
        await Promise.all([sender.ping(), first?.ping()])
      }
    },
  }
}

const contents: readonly Case[] = [
  forMany('a message of 250 KB', () => `<t xmlns='t'>${text()}</t>`),
  forMany('a message of 16 000 elements', () => many(() => '<a/>')),
  forMany('a message of 4 000 prefixes', () => many(number => `<p${number}:a xmlns:p${number}='urn:p${number}'/>`)),
  forMany('a message of 7 000 namespaces', () => many(number => `<a xmlns='urn:p${number}'/>`)),
  forMany('a message of 16 000 levels, 60 deep each time', () => many(() => `${'<a>'.repeat(60)}${'</a>'.repeat(60)}`)),
  forMany('a message of elements with 64 attributes', () =>
    many(() => `<a ${Array.from({ length: 64 }, (_, number) => `a${number}=''`).join(' ')}/>`)),
  forMany('a message with an attribute of 250 KB', () => `<a a='${text()}'/>`),
  forMany('a message of 50 000 references to characters', () => `<a>${many(() => '&amp;')}</a>`),
  forMany('a message of 20 000 bodies', () => many(() => "<body xml:lang='en'/>")),
  forMany(
    'a message of 5 000 stanza-ids',
    () => many(number => `<stanza-id xmlns='urn:xmpp:sid:0' id='${number}' by='a@localhost'/>`),
  ),
  forMany('a message of 5 000 receipts', () => many(number => `<received xmlns='urn:xmpp:receipts' id='${number}'/>`)),
  forMany(
    'a message of 5 000 retractions',
    () => many(number => `<retract xmlns='urn:xmpp:message-retract:1' id='${number}'/>`),
  ),
]

/** As many of them as there may be unread at once. */
const floods: readonly Case[] = [
  {
    name: '2 000 chat states at once, for an account with 100 sessions',
    async prepare (setting) {
      const { sender } = await conversation(setting)
      return async () => {
        sender.send(many(() => `<message type='chat' to='${setting.jid('a')}'><active xmlns='http://jabber.org/protocol/chatstates'/></message>`))
        await sender.ping()
      }
    },
  },
  {
    name: '1 500 messages at once, which are kept, for an account with 100 sessions',
    async prepare (setting) {
      const { sender } = await conversation(setting)
      return async () => {
        sender.send(
          many(number => `<message type='chat' id='${number}' to='${setting.jid('a')}'><body>1</body></message>`),
        )
        await sender.ping()
      }
    },
  },
  {
    name: '1 500 messages at once to somebody who is not there',
    async prepare (setting) {
      const sender = await setting.client('b')
      return async () => {
        sender.send(many(() => `<message type='chat' to='${setting.jid('nobody')}'><body>1</body></message>`))
        await sender.ping()
      }
    },
  },
  {
    name: 'a message with an id of 250 KB to somebody who is not there',
    async prepare (setting) {
      const sender = await setting.client('b')
      return async () => {
        sender.send(`<message type='chat' id='${text()}' to='${setting.jid('nobody')}'><body>1</body></message>`)
        await sender.ping()
      }
    },
  },
  {
    name: '1 500 messages at once to oneself, which are kept',
    async prepare (setting) {
      const sender = await setting.client('b')
      return async () => {
        sender.send(
          many(number => `<message type='chat' id='${number}' to='${setting.jid('b')}'><body>1</body></message>`),
        )
        await sender.ping()
      }
    },
  },
]

async function fill (client: Client, to: string, count: number, body: string): Promise<void> {
  for (let sent = 0; sent < count; sent += 50) {
    client.send(Array.from({ length: Math.min(50, count - sent) }, (_, more) =>
      `<message type='chat' id='m${sent + more}' to='${to}'><body>${body}</body></message>`).join(''))
    await client.ping()
  }
}

function query (fields: Readonly<Record<string, string | readonly string[]>>, max = 250): string {
  return `<query xmlns='${MAM}'>${form(MAM, fields)}<set xmlns='http://jabber.org/protocol/rsm'><max>${max}</max></set></query>`
}

/** A request of an account whose archive has 5 000 messages. */
function ofArchive (name: string, ask: (setting: Setting, client: Client) => Promise<void>, bytes = 2_000): Case {
  return {
    name: `${name}, where the archive has 5 000 messages`,
    async prepare (setting) {
      const client = await setting.client('a')
      await fill(client, setting.jid('a'), setting.count(5_000), many(number => `word${number} `, bytes))
      return () => ask(setting, client)
    },
  }
}

const archives: readonly Case[] = [
  ofArchive('16 pages of the archive at once', (_setting, client) =>
    all(16, async () => {
      await client.ask('set', query({}))
    })),
  ofArchive('16 queries at once with a full address that nothing matches', (setting, client) =>
    all(16, async () => { await client.ask('set', query({ with: `${setting.jid('a')}/nosuchresource` })) })),
  ofArchive('a query for 20 000 ids', async (_setting, client) => {
    await client.ask('set', query({ ids: many(number => `${number} `, 240_000).trim().split(' ').slice(0, 7_000) }))
  }),
  ofArchive('a search of 90 KB', async (_setting, client) => {
    await client.ask('set', query({ '{urn:xmpp:fulltext:0}fulltext': '-a '.repeat(30_000) }))
    await client.ask('set', query({ '{urn:xmpp:fulltext:0}fulltext': many(number => `${number} `, 90_000) }))
  }),
  ofArchive('a form of 7 000 fields', async (_setting, client) => {
    await client.ask('set', `<query xmlns='${MAM}'><x xmlns='jabber:x:data' type='submit'>${many(number => `<field var='${number}'><value/></field>`)}</x></query>`)
  }),
  ofArchive('a retraction of what is not there', async (setting, client) => {
    client.send(many(number => `<message type='chat' to='${setting.jid('a')}'><body>1</body><retract xmlns='urn:xmpp:message-retract:1' id='none${number}'/></message>`, 20_000))
    await client.ping()
  }),
  ofArchive('16 requests for the status at once', (setting, client) =>
    all(16, async () => {
      await client.ask('get', `<status xmlns='urn:heliograph:status:0' with='${setting.jid('a')}'/>`)
    })),
  ofArchive('a removal of 6 000 messages', async (_setting, client) => {
    const ids = Array.from({ length: 6_000 }, (_, number) => String(number + 1))
    await client.ask(
      'set',
      command('urn:heliograph:retraction:delete', form('urn:heliograph:retraction:delete', { ids })),
    )
  }),
  {
    name: '1 000 messages that waited are handed over',
    async prepare (setting) {
      const client = await setting.client('a')
      await client.close()
      const sender = await setting.client('b')
      await fill(sender, setting.jid('a'), setting.count(1_000), text(5_000))
      return async round => {
        const again = await setting.client('a', `again${round}`)
        again.send('<presence/>')
        await again.ping()
        await again.cut()
        await fill(sender, setting.jid('a'), setting.count(1_000), text(5_000))
      }
    },
  },
]

export const messages: readonly Case[] = [...contents, ...floods, ...archives]
