/** What tests of rosters and presence begin with: clients that are online, and subscriptions between them. */
import { NS_ROSTER } from '../../../src/xmpp/ns.ts'
import { briefItem } from './brief.ts'
import type { Client, World } from './world.ts'

/** A client that asked for the roster and sent initial presence, and has read what that brought. */
export async function online (server: World, jid: string): Promise<Client> {
  const client = await server.client(jid)
  await client.comesOnline()
  await client.received()
  return client
}

/** Makes `user` a subscriber of `contact`; neither has anything left to read. */
export async function subscribes (user: Client, contact: Client): Promise<void> {
  await user.sends(`<presence type='subscribe' to='${contact.session.account.jid}'/>`)
  await contact.sends(`<presence type='subscribed' to='${user.session.account.jid}'/>`)
  await user.received()
  await contact.received()
}

/** The client's roster, each item as pushes are told in brief. */
export async function rosterOf (client: Client): Promise<readonly string[]> {
  const roster = await client.asks('get', `<query xmlns='${NS_ROSTER}'/>`)
  return (roster?.getChildren('item', NS_ROSTER) ?? []).map(briefItem)
}
