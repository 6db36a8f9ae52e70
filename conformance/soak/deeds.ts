/** What people do: most of all they talk; now and then somebody sends the worst that the limits let through. */
import { PASSWORD } from '../../test/faults/line.ts'
import { Client } from '../runner/client.ts'
import { register } from '../runner/register.ts'
import type { Person } from './person.ts'

const ROSTER = 'jabber:iq:roster'
const MAM = 'urn:xmpp:mam:2'
const OWNER = 'http://jabber.org/protocol/muc#owner'
const ROOMS = 12
const NAMES = 20

type Deed = (person: Person) => void | Promise<void>

function random (below: number): number {
  return Math.floor(Math.random() * below)
}

function text (bytes: number): string {
  return 'soak '.repeat(bytes / 5)
}

const room = (): string => `room${random(ROOMS)}@conference.localhost`

function enter (person: Person, where: string): void {
  person.send(
    `<presence to='${where}/${person.number}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='20'/></x></presence>`,
  )
}

/** Enters, and configures it where it is new. */
async function open (person: Person, where: string): Promise<void> {
  enter(person, where)
  await person.ask('set', `<query xmlns='${OWNER}'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>` +
    '<value>http://jabber.org/protocol/muc#roomconfig</value></field></x></query>', where)
}

async function talkInRoom (person: Person): Promise<void> {
  const where = room()
  await open(person, where)
  for (let said = 0; said < 3; said++)
    person.send(`<message type='groupchat' to='${where}'><body>${text(200)}</body></message>`)
  if (random(3) > 0) person.send(`<presence type='unavailable' to='${where}/${person.number}'/>`)
}

/** Somebody new, for a moment: one of few, so that two may want the same name. */
async function comeAndVanish ({ ports }: Person): Promise<void> {
  const endpoint = { port: ports[random(ports.length)] ?? 0, tls: false }
  const account = { jid: `passer-by${random(NAMES)}@localhost`, password: PASSWORD }
  try {
    await register(endpoint, account)
    const client = await Client.connect(endpoint, { ...account, resource: 'x' })
    client.send("<presence/><iq type='set' id='remove'><query xmlns='jabber:iq:register'><remove/></query></iq>")
    while ((await client.receive()).name !== 'iq');
    client.destroy()
  } catch { // the name is somebody's at this moment
  }
}

async function changeRoster (person: Person): Promise<void> {
  const near = person.neighbours()
  const jid = near[random(near.length)] ?? person.jid
  await person.ask('set', `<query xmlns='${ROSTER}'><item jid='${jid}' name='${random(NAMES)}'><group>${random(NAMES)}</group></item></query>`)
  person.send(`<presence type='${random(2) === 0 ? 'subscribe' : 'subscribed'}' to='${jid}'/>`)
  if (random(2) === 0)
    await person.ask('set', `<query xmlns='${ROSTER}'><item jid='${jid}' subscription='remove'/></query>`)
}

async function block (person: Person): Promise<void> {
  await person.ask('set', `<block xmlns='urn:xmpp:blocking'><item jid='stranger${random(NAMES)}@x.example'/></block>`)
  await person.ask('set', "<unblock xmlns='urn:xmpp:blocking'/>")
}

async function readArchive (person: Person): Promise<void> {
  const page = `<query xmlns='${MAM}'><set xmlns='http://jabber.org/protocol/rsm'><max>20</max><before/></set></query>`
  await person.ask('set', page, random(3) === 0 ? room() : undefined)
}

async function keepOwnData (person: Person): Promise<void> {
  await person.ask('set', `<vCard xmlns='vcard-temp'><FN>${text(500)}</FN></vCard>`)
  await person.ask('get', "<vCard xmlns='vcard-temp'/>", person.anyone())
  await person.ask('set', `<query xmlns='jabber:iq:private'><n xmlns='notes'>${text(500)}</n></query>`)
}

async function destroyRoom (person: Person): Promise<void> {
  await person.ask('set', `<query xmlns='${OWNER}'><destroy/></query>`, room())
}

/** Many addresses that nobody has met, many elements, large texts. */
const WORST: readonly Deed[] = [
  person => { person.send(`<message type='chat' to='${person.jid}'><body>1</body>${'<a/>'.repeat(60_000)}</message>`) },
  person => { person.send(`<message type='chat' to='${person.anyone()}'><body>${text(200_000)}</body></message>`) },
  person => person.ask('set', `<vCard xmlns='vcard-temp'>${'<a/>'.repeat(20_000)}</vCard>`),
  person => person.ask('set', `<query xmlns='${ROSTER}'><item jid='wide@localhost'>${Array.from({ length: 500 }, (_, number) => `<group>${number}</group>`).join('')}</item></query>`),
  person => person.ask('set', `<block xmlns='urn:xmpp:blocking'>${Array.from({ length: 500 }, (_, number) => `<item jid='w${number}@x.example'/>`).join('')}</block>`),
  person => person.ask('set', `<unblock xmlns='urn:xmpp:blocking'>${Array.from({ length: 500 }, () => `<item jid='ü${Math.random()}.e'/>`).join('')}</unblock>`),
  person => person.ask('set', `<query xmlns='${MAM}'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>${MAM}</value></field>` +
    `<field var='with'><value>${person.jid}/nosuchresource</value></field></x></query>`),
  person => { person.send(`<message type='groupchat' to='${room()}'><body>1</body>${'<a/>'.repeat(30_000)}</message>`) },
  person => { person.send('<presence/>'.repeat(200)) },
]

const COMMON: readonly (readonly [number, Deed])[] = [
  [30, person => {
    person.send(`<message type='chat' id='m${random(1e9)}' to='${person.anyone()}'><body>${text(300)}</body></message>`)
  }],
  [5, person => { person.send(`<message type='chat' to='${person.anyone()}'><body>${text(20_000)}</body></message>`) }],
  [6, person => { person.send(`<presence><status>${text(10_000)}</status></presence>`) }],
  [15, talkInRoom],
  [8, readArchive],
  [6, changeRoster],
  [3, block],
  [4, keepOwnData],
  [2, destroyRoom],
  [2, comeAndVanish],
  [4, person => person.ask('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", 'localhost')],
  [2, person => person.ask('get', "<query xmlns='http://jabber.org/protocol/disco#items'/>", 'conference.localhost')],
  [1, person => WORST[random(WORST.length)]?.(person)],
]
const SUM = COMMON.reduce((sum, [weight]) => sum + weight, 0)

export const deeds = {
  async any (person: Person): Promise<void> {
    let left = random(SUM)
    for (const [weight, deed] of COMMON) {
      left -= weight
      if (left < 0) return await deed(person)
    }
  },

  /** Everything of one's own that lasts is as it always is afterwards. */
  async tidyUp (person: Person): Promise<void> {
    await person.ask('set', "<unblock xmlns='urn:xmpp:blocking'/>")
    await person.ask('set', "<vCard xmlns='vcard-temp'><FN>soak</FN></vCard>")
    await person.ask('set', "<query xmlns='jabber:iq:private'><n xmlns='notes'/></query>")
    await person.ask('set', `<query xmlns='${ROSTER}'><item jid='wide@localhost' subscription='remove'/></query>`)
    for (const jid of person.neighbours()) {
      person.send(`<presence type='unsubscribed' to='${jid}'/><presence type='unsubscribe' to='${jid}'/>`)
      await person.ask('set', `<query xmlns='${ROSTER}'><item jid='${jid}' subscription='remove'/></query>`)
    }
  },
}
