/** Rooms at their limits. */
import type { Client } from '../client.ts'
import { all, command, configure, enter, form, many, text } from '../setting.ts'
import type { Case, Setting } from '../setting.ts'

const ADMIN = 'http://jabber.org/protocol/muc#admin'
const OWNER = 'http://jabber.org/protocol/muc#owner'
const USER = 'http://jabber.org/protocol/muc#user'
const CONFIG = 'http://jabber.org/protocol/muc#roomconfig'
const HATS = 'urn:xmpp:hats:commands'
/** `presence-bytes` as it comes, less what the rest of one needs. */
const PRESENCE_BYTES = 16_000

interface Member { readonly nick: string, readonly devices: readonly Client[] }
interface Crowd { readonly owner: Client, readonly others: readonly Member[], readonly room: string }

/** A room with 60 occupants besides its owner, or as many as that, five sessions each. */
async function crowd (
  setting: Setting, fields: Readonly<Record<string, string>> = {}, occupants = 60, sessions = 5,
): Promise<Crowd> {
  const owner = await setting.client('owner')
  const room = await setting.room(owner, 'room', fields)
  const others: Member[] = []
  for (let number = 0; number < setting.count(occupants); number++) {
    const member = { nick: `n${number}`, devices: await setting.devices(`m${number}`, sessions) }
    await enterAll([member], room)
    others.push(member)
  }
  return { owner, others, room }
}

async function enterAll (members: readonly Member[], room: string): Promise<void> {
  await Promise.all(members.flatMap(({ nick, devices }) =>
    devices.map(device => enter(device, room, nick, "<history maxstanzas='0'/>"))))
}

function inCrowd (
  name: string,
  attack: (crowd: Crowd, setting: Setting, round: number) => Promise<void>,
  fields: Readonly<Record<string, string>> = {},
): Case {
  return {
    name: `${name}, in a room with 300 sessions`,
    async prepare (setting) {
      const all = await crowd(setting, fields)
      return round => attack(all, setting, round)
    },
  }
}

/** Of one room whose owner is alone in it. */
function byOwner (
  name: string, attack: (owner: Client, room: string, round: number, setting: Setting) => Promise<void>,
  before: (owner: Client, room: string, setting: Setting) => Promise<void> = async () => {},
): Case {
  return {
    name,
    async prepare (setting) {
      const owner = await setting.client('owner')
      const room = await setting.room(owner, 'room', { 'muc#roomconfig_persistentroom': '1' })
      await before(owner, room, setting)
      return round => attack(owner, room, round, setting)
    },
  }
}

async function says (client: Client, room: string, inside: string): Promise<void> {
  client.send(`<message type='groupchat' to='${room}'><body>1</body>${inside}</message>`)
  await client.ping()
}

async function makeMembers (owner: Client, room: string, count: number): Promise<void> {
  for (let from = 0; from < count; from += 1_000) {
    const items = many(
      number => `<item affiliation='member' jid='m${from + number}@x.example'/>`,
      undefined,
      Math.min(1_000, count - from),
    )
    await owner.ask('set', `<query xmlns='${ADMIN}'>${items}</query>`, room)
  }
}

const talk: readonly Case[] = [
  inCrowd('a message of 16 000 elements', ({ owner, room }) => says(owner, room, many(() => '<a/>'))),
  inCrowd('a message of 250 KB', ({ owner, room }) => says(owner, room, `<t xmlns='t'>${text()}</t>`)),
  inCrowd('1 000 chat states at once', async ({ owner, room }) => {
    owner.send(
      many(() =>
        `<message type='groupchat' to='${room}'><active xmlns='http://jabber.org/protocol/chatstates'/></message>`
      ),
    )
    await owner.ping()
  }),
  inCrowd('a subject of 250 KB', async ({ owner, room }) => {
    owner.send(`<message type='groupchat' to='${room}'><subject>${text()}</subject></message>`)
    await owner.ping()
  }),
  inCrowd('a presence of 16 KB', async ({ owner, room }) => {
    owner.send(`<presence to='${room}/owner'><status>${text(PRESENCE_BYTES)}</status></presence>`)
    await owner.ping()
  }),
  inCrowd('a presence of 4 000 elements', async ({ owner, room }) => {
    owner.send(`<presence to='${room}/owner'>${many(() => '<a/>', PRESENCE_BYTES)}</presence>`)
    await owner.ping()
  }),
  inCrowd('3 000 presences at once', async ({ owner, room }) => {
    owner.send(many(number => `<presence to='${room}/owner${number}'/>`, 120_000))
    await owner.ping()
  }),
  inCrowd('private messages of 250 KB for everybody', async ({ owner, room }, setting) => {
    for (let number = 0; number < setting.count(60); number++) {
      owner.send(`<message type='chat' to='${room}/n${number}'><body>${text()}</body></message>`)
    }
    await owner.ping()
  }),
  inCrowd('a member leaves and enters where everybody has a large presence', async ({ others, room }) => {
    const firsts = others.flatMap(({ devices }) => devices.slice(0, 1))
    for (const [number, one] of firsts.entries())
      one.send(`<presence to='${room}/n${number}'><status>${text(PRESENCE_BYTES)}</status></presence>`)
    await Promise.all(firsts.map(one => one.ping()))
    const [first] = firsts
    first?.send(`<presence to='${room}/n0' type='unavailable'/>`)
    if (first) await enter(first, room, 'n0')
  }),
  byOwner('who enters is shown 100 messages of 200 KB', async (owner, room) => {
    owner.send(`<presence to='${room}/owner' type='unavailable'/>`)
    await enter(owner, room, 'owner')
  }, async (owner, room, setting) => {
    await configure(owner, room, { 'muc#maxhistoryfetch': '100', 'muc#roomconfig_persistentroom': '1' })
    for (let number = 0; number < setting.count(100); number++)
      await says(owner, room, `<t xmlns='t'>${text(200_000)}</t>`)
  }),
]

const roles: readonly Case[] = [
  inCrowd('everybody is made a visitor and a participant again', async ({ owner, room }, setting) => {
    for (const role of ['visitor', 'participant']) {
      const items = Array.from({ length: setting.count(60) }, (_, number) => `<item nick='n${number}' role='${role}'/>`)
        .join('')
      await owner.must('set', `<query xmlns='${ADMIN}'>${items}</query>`, room)
    }
  }),
  inCrowd('1 000 changes of roles', async ({ owner, room }, setting) => {
    const items = many(
      number => `<item nick='n${number % setting.count(60)}' role='${number % 2 === 0 ? 'visitor' : 'participant'}'/>`,
      undefined,
      1_000,
    )
    await owner.ask('set', `<query xmlns='${ADMIN}'>${items}</query>`, room)
  }),
  inCrowd('everybody is made a member and nobody again, with a reason of 250 KB', async ({ owner, room }, setting) => {
    for (const affiliation of ['member', 'none']) {
      const items = Array.from({ length: setting.count(60) }, (_, number) =>
        `<item jid='${setting.jid(`m${number}`)}' affiliation='${affiliation}'><reason>${text(4_000)}</reason></item>`).join('')
      await owner.ask('set', `<query xmlns='${ADMIN}'>${items}</query>`, room)
    }
  }),
  inCrowd('it is made members-only, and everybody is thrown out', async ({ owner, others, room }) => {
    await configure(owner, room, { 'muc#roomconfig_membersonly': '1' })
    await configure(owner, room, { 'muc#roomconfig_membersonly': '0' })
    await enterAll(others, room)
  }),
  {
    name: '4 900 sessions, which see no presence but their own, are thrown out of a room at once',
    async prepare (setting) {
      const { owner, others, room } = await crowd(setting, { 'muc#roomconfig_presencebroadcast': 'moderator' }, 49, 100)
      return async () => {
        await configure(owner, room, { 'muc#roomconfig_membersonly': '1' })
        await configure(owner, room, { 'muc#roomconfig_membersonly': '0' })
        await enterAll(others, room)
      }
    },
  },
  inCrowd('it shows no presence any more, and shows it again', async ({ owner, room }) => {
    await configure(owner, room, { 'muc#roomconfig_presencebroadcast': 'moderator' })
    await configure(owner, room, { 'muc#roomconfig_presencebroadcast': 'participant' })
  }),
  {
    name: 'a room with 300 sessions is destroyed, with a reason of 250 KB',
    async prepare (setting) {
      const { owner, others } = await crowd(setting)
      return async round => {
        const room = await setting.room(owner, `room${round}`)
        await enterAll(others, room)
        await owner.ask('set', `<query xmlns='${OWNER}'><destroy><reason>${text()}</reason></destroy></query>`, room)
      }
    },
  },
]

const lists: readonly Case[] = [
  byOwner('a list of 1 000 members of internationalised domains', async (owner, room, round) => {
    const items = many(number => `<item affiliation='member' jid='u@ü${round}x${number}.example'/>`, undefined, 1_000)
    await owner.ask('set', `<query xmlns='${ADMIN}'>${items}</query>`, room)
  }),
  byOwner('a list of 5 000 items', async (owner, room, round) => {
    const items = many(number => `<item affiliation='member' jid='u${round}.${number}@x.e'/>`)
    await owner.ask('set', `<query xmlns='${ADMIN}'>${items}</query>`, room)
  }),
  byOwner('1 000 members in a list that has 9 000', async (owner, room, round) => {
    for (const affiliation of ['member', 'none']) {
      const items = many(
        number => `<item affiliation='${affiliation}' jid='u${round}.${number}@x.e'/>`,
        undefined,
        1_000,
      )
      await owner.ask('set', `<query xmlns='${ADMIN}'>${items}</query>`, room)
    }
  }, (owner, room, setting) => makeMembers(owner, room, setting.count(9_000))),
  byOwner('a list of 10 000 members is asked for 16 times at once', (owner, room) =>
    all(16, () => owner.must('get', `<query xmlns='${ADMIN}'><item affiliation='member'/></query>`, room)),
  (owner, room, setting) => makeMembers(owner, room, setting.count(9_999))),
  byOwner('who enters is told of 10 000 affiliations', async (owner, room) => {
    owner.send(`<presence to='${room}/owner' type='unavailable'/>`)
    await enter(owner, room, 'owner', "<mav xmlns='urn:xmpp:muc:affiliations:1'/>")
  }, (owner, room, setting) => makeMembers(owner, room, setting.count(9_999))),
  byOwner('a room with 10 000 members is left and loaded again', async (owner, room) => {
    owner.send(`<presence to='${room}/owner' type='unavailable'/>`)
    await owner.ping()
    await owner.must('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", room)
    await enter(owner, room, 'owner')
  }, (owner, room, setting) => makeMembers(owner, room, setting.count(9_999))),
  byOwner(
    'a message to a group of 10 000 members',
    (owner, room) => says(owner, room, ''),
    async (owner, room, setting) => {
      await configure(owner, room, {
        'muc#roomconfig_membersonly': '1',
        'muc#roomconfig_persistentroom': '1',
        'muc#roomconfig_whois': 'anyone',
      })
      await makeMembers(owner, room, setting.count(9_999))
    }),
]

const requests: readonly Case[] = [
  byOwner('a form whose values have 250 KB', async (owner, room) => {
    for (const name of ['roomname', 'roomdesc', 'roomsecret', 'lang']) {
      await owner.ask(
        'set',
        `<query xmlns='${OWNER}'>${form(CONFIG, { [`muc#roomconfig_${name}`]: text() })}</query>`,
        room,
      )
    }
    await owner.must('get', `<query xmlns='${OWNER}'/>`, room)
  }),
  byOwner('a form of 7 000 fields', async (owner, room) => {
    await owner.ask('set', `<query xmlns='${OWNER}'><x xmlns='jabber:x:data' type='submit'>${many(number => `<field var='${number}'><value/></field>`)}</x></query>`, room)
  }),
  byOwner('a room\'s description of 250 KB is asked for 16 times at once', (owner, room) =>
    all(16, async () => { await owner.must('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", room) }),
  async (owner, room) => {
    for (const name of ['roomname', 'roomdesc']) {
      await owner.ask(
        'set',
        `<query xmlns='${OWNER}'>${form(CONFIG, { [`muc#roomconfig_${name}`]: text() })}</query>`,
        room,
      )
    }
  }),
  byOwner('invitations of as many as a stanza holds', async (owner, room, round) => {
    for (const most of [50, Infinity]) {
      const invitations = many(
        number => `<invite to='ü${round}x${number}.e'><reason>x</reason></invite>`,
        undefined,
        most,
      )
      owner.send(`<message to='${room}'><x xmlns='${USER}'>${invitations}</x></message>`)
      await owner.ping()
    }
  }),
  byOwner('a registration of 16 000 fields', async (owner, room) => {
    await owner.ask('set', "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>" +
      `${many(() => "<field var='a'><value/></field>")}</x></query>`, room)
  }),
  byOwner("16 pages of a room's archive at once", (owner, room) =>
    all(16, async () => {
      await owner.ask('set', "<query xmlns='urn:xmpp:mam:2'/>", room)
    }), async (owner, room, setting) => {
    for (let number = 0; number < setting.count(300); number++)
      await says(owner, room, `<t xmlns='t'>${text(2_000)}</t>`)
  }),
  byOwner('hats: 100 of them, and their lists', (owner, room) => all(16, async () => {
    for (const list of ['list', 'list-assigned', 'assign']) await owner.ask('set', command(`${HATS}:${list}`, ''), room)
  }), async (owner, room, setting) => {
    for (let number = 0; number < setting.count(100); number++) {
      const uri = `urn:${number}:${'x'.repeat(200)}`
      await owner.ask(
        'set',
        command(`${HATS}:create`, form(HATS, { 'hats#title': 'x'.repeat(200), 'hats#uri': uri })),
        room,
      )
      await owner.ask(
        'set',
        command(`${HATS}:assign`, form(HATS, { 'hats#jid': setting.jid('owner'), 'hats#uri': uri })),
        room,
      )
    }
  }),
  {
    name: 'the list of 1 000 rooms is asked for 16 times at once',
    async prepare (setting) {
      const owners = await setting.crowd('a', 20)
      await Promise.all(owners.map(async (owner, number) => {
        for (let room = 0; room < setting.count(50); room++) await setting.room(owner, `r${number}.${room}`)
      }))
      const [first] = owners
      return () =>
        all(16, async () => {
          await first?.ask('get', "<query xmlns='http://jabber.org/protocol/disco#items'/>", 'conference.localhost')
        })
    },
  },
  {
    name: 'who is in 50 rooms goes',
    async prepare (setting) {
      return async round => {
        const owner = await setting.client(`a${round}`)
        const client = await setting.client('b', `r${round}`)
        for (let room = 0; room < setting.count(50); room++)
          await enter(client, await setting.room(owner, `r${round}.${room}`), 'b')
        await client.cut()
      }
    },
  },
  inCrowd('the list of who is in is asked for 16 times at once', ({ owner, room }) =>
    all(16, async () => { await owner.ask('get', "<query xmlns='http://jabber.org/protocol/disco#items'/>", room) })),
  inCrowd('a request of 250 KB for an occupant', async ({ owner, room }) => {
    owner.send(`<iq type='get' id='1' to='${room}/n0'><a xmlns='a'>${many(() => '<a/>')}</a></iq>`)
    await owner.ping()
  }),
]

export const rooms: readonly Case[] = [...talk, ...roles, ...lists, ...requests]
