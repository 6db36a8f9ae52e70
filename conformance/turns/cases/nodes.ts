/** Nodes (XEP-0060) with as much in them, and as many around them, as there may be. */
import { createHash } from 'node:crypto'
import { all, form, many } from '../setting.ts'
import type { Case, Setting } from '../setting.ts'
import type { Client } from '../client.ts'

const NS = 'http://jabber.org/protocol/pubsub'
const SERVICE = 'pubsub.localhost'
const ITEM_BYTES = 131_072 - 200

function request (payload: string, ns = NS): string {
  return `<pubsub xmlns='${ns}'>${payload}</pubsub>`
}

function publication (node: string, id: string, payload: string): string {
  return request(`<publish node='${node}'><item id='${id}'>${payload}</item></publish>`)
}

const large = (): string => `<a xmlns='urn:a'>${many(() => '<b/>', ITEM_BYTES)}</a>`

/** So many accounts with 50 addresses each are needed for 10 000 subscriptions of one node. */
const SUBSCRIBERS = 200
const ADDRESSES = 50

/** A node of the service with 50 subscriptions of each of these: of addresses at which there is nobody. */
async function nodeOf (setting: Setting, owner: Client, name: string, subscribers: readonly Client[]): Promise<string> {
  const node = setting.local(name)
  const options = form(`${NS}#node_config`, { 'pubsub#access_model': 'open' })
  await owner.must('set', request(`<create node='${node}'/><configure>${options}</configure>`), SERVICE)
  const accounts = subscribers.map((_, n) => setting.jid(`s${n}`))
  const appointed = accounts.map(jid => `<affiliation jid='${jid}' affiliation='owner'/>`).join('')
  await owner.must('set', request(`<affiliations node='${node}'>${appointed}</affiliations>`, `${NS}#owner`), SERVICE)
  for (const [n, subscriber] of subscribers.entries()) {
    const own = many(number => `<subscription jid='${accounts[n]}/${number}' subscription='subscribed'/>`, undefined,
      ADDRESSES)
    await subscriber.must('set', request(`<subscriptions node='${node}'>${own}</subscriptions>`, `${NS}#owner`), SERVICE)
  }
  return node
}

/** What somebody has who logs in: 500 contacts with nodes of these names. */
const CONTACTS = 500
const NODES = ['urn:n:0', 'urn:n:1', 'urn:n:2', 'urn:n:3', 'urn:n:4']

/** Contacts of `a`, who lets none of them see its presence; each has published to all nodes. */
async function contactsOf (setting: Setting, a: Client): Promise<number> {
  const contacts = await setting.crowd('c', CONTACTS)
  for (const [n, contact] of contacts.entries()) {
    contact.send(`<presence type='subscribed' to='${setting.jid('a')}'/>`)
    await contact.ping()
    a.send(`<presence type='subscribe' to='${setting.jid(`c${n}`)}'/>`)
    for (const node of NODES) await contact.must('set', publication(node, 'x', `<a xmlns='${node}'/>`))
  }
  return contacts.length
}

/** Logs in as a client that wants events of all nodes (XEP-0115); resolves when the last item of each has come. */
async function comesOnline (setting: Setting, resource: string, contacts: number): Promise<void> {
  const client = await setting.client('a', resource)
  const features = NODES.map(node => `${node}+notify`)
  const ver = createHash('sha1').update(`client/pc//<${features.join('<')}<`).digest('base64')
  const info = `<query xmlns='http://jabber.org/protocol/disco#info' node='urn:c#${ver}'>` +
    `<identity category='client' type='pc'/>${features.map(feature => `<feature var='${feature}'/>`).join('')}</query>`
  void client.until(/<iq(?=[^>]* type='get')(?=[^>]* id='([^']*)')[^>]* from='([^']*)'/).then(([, id, from]) => {
    client.send(`<iq type='result' id='${id}' to='${from}'>${info}</iq>`)
  }, () => {}) // it is known already
  const last = Array.from({ length: contacts }, (_, n) => setting.jid(`c${n}`)).sort().at(-1)
  const all = client.until(new RegExp(`from='${last}'.{0,400}node='${NODES.at(-1)}'`, 's'))
  client.send(`<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:c' ver='${ver}'/></presence>`)
  await all
}

export const nodes: readonly Case[] = [
  {
    name: 'who has 500 contacts with 5 nodes each comes online',
    async prepare (setting) {
      const contacts = await contactsOf(setting, await setting.client('a'))
      return round => comesOnline(setting, `r${round}`, contacts)
    },
  },
  {
    name: 'an item of 16 000 elements is published, and asked for 16 times at once',
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        await client.must('set', publication('urn:a', String(round), large()))
        await all(16, () => client.must('get', request("<items node='urn:a'/>")))
      }
    },
  },
  {
    name: '1 000 items of a node are asked for 16 times at once',
    async prepare (setting) {
      const client = await setting.client('a')
      const options = form(`${NS}#node_config`, { 'pubsub#max_items': 'max' })
      await client.must('set', request(`<create node='urn:a'/><configure>${options}</configure>`))
      await all(setting.count(1000), number =>
        client.must('set', publication('urn:a', String(number), `<a xmlns='urn:a'>${number}</a>`)))
      return () => all(16, () => client.must('get', request("<items node='urn:a'/>")))
    },
  },
  {
    name: 'an item is published to 10 000 subscribers',
    async prepare (setting) {
      const client = await setting.client('a')
      const node = await nodeOf(setting, client, 'node', await setting.crowd('s', SUBSCRIBERS))
      return async round => {
        await client.must('set', publication(node, String(round), `<a xmlns='urn:a'>${round}</a>`), SERVICE)
      }
    },
  },
  {
    name: 'the 10 000 subscriptions of a node are listed, and ended by a whitelist',
    async prepare (setting) {
      const owner = await setting.client('a')
      const subscribers = await setting.crowd('s', SUBSCRIBERS)
      return async round => {
        const node = await nodeOf(setting, owner, `node${round}`, subscribers)
        await owner.must('get', request(`<subscriptions node='${node}'/>`, `${NS}#owner`), SERVICE)
        const options = form(`${NS}#node_config`, { 'pubsub#access_model': 'whitelist' })
        await owner.must('set', request(`<configure node='${node}'>${options}</configure>`, `${NS}#owner`), SERVICE)
        await owner.must('set', request(`<delete node='${node}'/>`, `${NS}#owner`), SERVICE)
      }
    },
  },
]
