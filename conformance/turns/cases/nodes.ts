/** Nodes (XEP-0060) with as much in them, and as many around them, as there may be. */
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

/** A node of the service with so many subscribers, who are nowhere. */
async function nodeWith (setting: Setting, owner: Client, most: number): Promise<string> {
  const node = setting.local('node')
  const options = form(`${NS}#node_config`, { 'pubsub#access_model': 'open' })
  await owner.must('set', request(`<create node='${node}'/><configure>${options}</configure>`), SERVICE)
  for (let from = 0; from < setting.count(most); from += 1000) {
    const some = many(number => `<subscription jid='u${from + number}@localhost' subscription='subscribed'/>`, undefined,
      Math.min(1000, setting.count(most) - from))
    await owner.must('set', request(`<subscriptions node='${node}'>${some}</subscriptions>`, `${NS}#owner`), SERVICE)
  }
  return node
}

export const nodes: readonly Case[] = [
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
      const node = await nodeWith(setting, client, 10_000)
      return async round => {
        await client.must('set', publication(node, String(round), `<a xmlns='urn:a'>${round}</a>`), SERVICE)
      }
    },
  },
  {
    name: 'the 10 000 subscriptions of a node are listed, and ended by a whitelist',
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        const owner = round === 0 ? client : await setting.client(`a${round}`)
        const node = await nodeWith(setting, owner, 10_000)
        await owner.must('get', request(`<subscriptions node='${node}'/>`, `${NS}#owner`), SERVICE)
        const options = form(`${NS}#node_config`, { 'pubsub#access_model': 'whitelist' })
        await owner.must('set', request(`<configure node='${node}'>${options}</configure>`, `${NS}#owner`), SERVICE)
        await owner.must('set', request(`<delete node='${node}'/>`, `${NS}#owner`), SERVICE)
      }
    },
  },
]
